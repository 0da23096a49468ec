"""Tests of the checks of the MLflow server."""

from pathlib import Path

import pytest

from study.commands.doctor import tracking
from study.commands.doctor.finding import Finding
from tests.kit.servers.mlflow_server import Server


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch):
    """Returns a function that checks an address; None for an unset variable."""

    def found_at(uri: str | None) -> list[Finding]:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri or "")
        return list(tracking.check())

    return found_at


def test_a_server_that_accepts_every_request(server, look) -> None:
    found = look(f"http://me:secret@127.0.0.1:{server(200)}")
    assert [(finding.subject, finding.level) for finding in found] == [
        ("mlflow", "ok"),
        ("mlflow hosts", "warning"),
        ("mlflow origins", "warning"),
    ]
    assert all("secret" not in finding.found for finding in found)
    assert "--allowed-hosts" in found[1].cure
    assert "--cors-allowed-origins" in found[2].cure


def test_a_server_that_requires_a_login(server, look) -> None:
    found = look(f"http://127.0.0.1:{server(401)}/")
    assert [finding.level for finding in found] == ["ok", "ok", "ok"]
    assert "requires a login (401)" in found[0].found


@pytest.mark.slow
def test_a_real_server_with_default_settings_rejects_foreign_hosts_and_origins(mlflow_server: Server, look) -> None:
    found = look(mlflow_server.uri)
    assert [finding.level for finding in found] == ["ok", "ok", "ok"]
    assert all("(403)" in finding.found for finding in found[1:])


def test_an_unreachable_server_is_a_warning(server, closed_port: int, look) -> None:
    for uri in (
        f"http://me:secret@127.0.0.1:{closed_port}",
        f"http://127.0.0.1:{server(500)}",
        f"http://{300 * 'x'}.y",
    ):
        (found,) = look(uri)
        assert found.level == "warning"
        assert "secret" not in found.found
        assert "cskd sync" in found.cure


@pytest.mark.parametrize("uri", ["http://[", "http://127.0.0.1:99999", "file:/tmp", "nonsense"])
def test_an_invalid_address_is_a_problem(look, uri: str) -> None:
    (found,) = look(uri)
    assert found.level == "problem"


def test_databases_and_the_local_store(look, tmp_path: Path) -> None:
    assert look(None)[0].level == "ok"
    assert look(f"sqlite:///{tmp_path}/mlflow.db")[0].level == "ok"
    assert look(f"sqlite:///{tmp_path}/no/mlflow.db")[0].level == "warning"
    assert "secret" not in look("postgresql://me:secret@host/db")[0].found
    assert list(tmp_path.iterdir()) == []
