"""Tests of the checks of the database server."""

import pytest

from study.commands.doctor import database

VARIABLE = database.VARIABLE


def test_without_the_variable_there_are_no_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert list(database.check()) == []


@pytest.mark.parametrize(
    "url", ["nonsense canary", "mysql://me:canary@host/db", "postgresql://me:canary@127.0.0.1:1/db"]
)
def test_an_unusable_database_is_a_problem_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(VARIABLE, url)
    (found,) = database.check()
    assert found.level == "problem"
    assert "canary" not in found.found
    assert VARIABLE in found.cure


@pytest.mark.parametrize(("skew", "level"), [(0.5, "ok"), (60, "warning"), (-60, "warning")])
def test_the_clock_of_the_server(skew: float, level: str) -> None:
    assert database.clock(skew).level == level
