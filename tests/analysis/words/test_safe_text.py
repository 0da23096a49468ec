"""Tests that printed text is one short line without secrets."""

import pytest

from analysis.words.safe_text import LONGEST_LINE, safe_line, without_password


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
    text = without_password(secret)
    assert "canary" not in text
    assert "host" in text
    assert "canary" not in safe_line(secret)


@pytest.mark.parametrize("text", ["http://host:5000/#/experiments/1", "sqlite:////a b/mlflow.db", "me@host is here"])
def test_other_text_is_unchanged(text: str) -> None:
    assert without_password(text) == text


def test_a_line_is_escaped_and_limited_in_length() -> None:
    assert safe_line("a\nb\x1b[31m\0") == r"a\nb\x1b[31m\x00"
    assert len(safe_line("x" * 100_000)) <= LONGEST_LINE + 10
