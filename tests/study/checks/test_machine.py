"""What a study may use of the machine."""

import pytest

from study.checks import machine


def test_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_free_memory", lambda: 10**9)
    assert machine.memory().level == "warning"
    assert machine.memory().found == "0.9 GiB free"
    monkeypatch.setattr(machine, "_free_memory", lambda: None)
    assert machine.memory().found == "unknown"


def test_this_machine() -> None:
    assert [finding.subject for finding in machine.check()] == ["cores", "memory", "shared memory"]
