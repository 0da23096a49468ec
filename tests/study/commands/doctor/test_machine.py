"""Tests of the checks of cores and memory."""

from types import SimpleNamespace

import pytest

from study.commands.doctor import machine


def test_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_free_memory", lambda: 10**9)
    assert machine.memory().level == "warning"
    assert machine.memory().found == "0.9 GiB free"
    monkeypatch.setattr(machine, "_free_memory", lambda: None)
    assert machine.memory().found == "unknown"


@pytest.mark.fault(24)
def test_little_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=64 << 20))  # a container
    found = machine.shared_memory()
    assert (found.level, found.found) == ("warning", "0.1 GiB free")
    assert "--shm-size" in found.cure


def test_this_machine() -> None:
    assert [finding.subject for finding in machine.check()] == ["cores", "memory", "shared memory"]
