"""How errors are told: one harmless line without secrets."""

from pathlib import Path

import pytest

from study.errors import INTERNAL, LONGEST_LINE, code_and_lines, harmless, without_password
from tests.kit.inputs.own_part import error_of_own_part


@pytest.mark.parametrize(
    "secret",
    [
        "postgresql://me:canary@host/db",
        "postgresql://me:p/canary@host/db",
        "postgresql://me:p@canary@host/db",
        "https://canary@host:5000",
        "postgresql://host/db?user=me&password=canary",
        "mysql://host/db?SSLPassword=canary&a=b",
        "API request to http://me:canary@host/api failed with exception HTTPConnectionPool",
    ],
)
def test_secrets_are_hidden(secret: str) -> None:
    shown = without_password(secret)
    assert "canary" not in shown
    assert "host" in shown
    assert "canary" not in harmless(secret)


@pytest.mark.parametrize("text", ["http://host:5000/#/experiments/1", "sqlite:////a b/mlflow.db", "me@host is here"])
def test_other_text_stays(text: str) -> None:
    assert without_password(text) == text


def test_a_line_is_one_line_and_no_longer_than_a_screen() -> None:
    assert harmless("a\nb\x1b[31m\0") == r"a\nb\x1b[31m\x00"
    assert len(harmless("x" * 100_000)) <= LONGEST_LINE + 10


def test_an_error_of_a_users_own_part_is_said_to_be_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = error_of_own_part(tmp_path, monkeypatch, "own_method_of_errors_test")
    code, (line,) = code_and_lines(own)
    place = f"{tmp_path}/own_method_of_errors_test.py:4"
    assert (code, line) == (INTERNAL, f"{place}: KeyError: 'typo'; that is a part of your own, see the lines above")
    with pytest.raises(KeyError) as ours:
        {}["typo"]
    assert code_and_lines(ours.value)[1][0].startswith("internal error: KeyError: 'typo'; please report it")
