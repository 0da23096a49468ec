"""Tests of ``cskd doctor`` as a whole."""

import json

import pytest

from study.commands.doctor import examine, libraries
from study.commands.doctor.finding import Finding


@pytest.fixture(autouse=True)
def no_services(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


def test_a_healthy_machine(cskd, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = cskd("doctor")
    assert (code, err) == (0, "")
    assert "ok       python: 3." in out
    assert out.splitlines()[-1].startswith("0 problems, ")
    assert max(map(len, out.splitlines())) <= 80
    found = json.loads(cskd("doctor", "--json")[1])
    assert found["healthy"]
    assert {"level", "subject", "found", "cure"} == set(found["findings"][0])
    assert list(tmp_path.iterdir()) == []


def test_a_problem_exits_with_69_and_hostile_text_is_escaped(cskd, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Finding("problem", "torch", "broken\x1b[31m\nhere\0", "install it\nagain")
    monkeypatch.setattr(libraries, "check", lambda: iter([bad]))
    code, out, err = cskd("doctor")
    assert (code, err) == (69, "")
    assert out.splitlines()[0] == "problem  torch: broken\\x1b[31m\\nhere\\x00"
    assert out.splitlines()[1] == "         → install it\\nagain"
    assert out.splitlines()[-1].startswith("1 problem, ")
    assert json.loads(cskd("doctor", "--json")[1])["problems"] == 1
    assert not examine.summary([bad])["healthy"]
