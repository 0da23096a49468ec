"""Tests of resolving and checking the MLflow tracking URI."""

from pathlib import Path

import pytest

from study.definition import tracking_address
from study.errors import ServiceError, UsageError


def test_a_recorded_uri_without_its_password_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:canary@host")
    assert tracking_address.tracking_uri(None, None, tmp_path) == "https://me:canary@host"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(ServiceError, match="set MLFLOW_TRACKING_URI again"):
        tracking_address.tracking_uri(None, "https://…@host", tmp_path)
    assert tracking_address.tracking_uri(None, "https://host", tmp_path) == "https://host"
    assert tracking_address.tracking_uri("https://file", "https://host", tmp_path) == "https://file"
    assert tracking_address.tracking_uri(None, None, tmp_path) == f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.mark.bad_input(41)
@pytest.mark.parametrize("uri", ["nonsense", "localhost:5000", "file:/tmp/x", "http://[", "http://h:canary", "ftp://h"])
def test_an_invalid_uri_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(UsageError, match=r"MLFLOW_TRACKING_URI: .*correct or unset it") as caught:
        tracking_address.check_environment()
    assert uri not in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("uri", ["http://h", "https://me:pass@h:1/a", "sqlite:///x.db", "postgresql+psycopg://h/d", ""])
def test_a_valid_uri_is_accepted(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    tracking_address.check_environment()
