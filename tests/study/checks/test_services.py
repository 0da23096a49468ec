"""Whom clusters and tracking servers let in; no password is shown."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from study.checks import services


@pytest.fixture
def server() -> Iterator[Callable[[int], int]]:
    """Starts HTTP servers that answer every request with one status; gives the port."""
    running: list[HTTPServer] = []

    def start(status: int) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        running.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return running[-1].server_port

    yield start
    for one in running:
        one.shutdown()
        one.server_close()


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize(
    ("status", "level", "says"),
    [
        (200, "problem", "answers without a token"),
        (401, "ok", "asks for a token (401)"),
        (403, "ok", "asks for a token (403)"),
        (302, "warning", "answers 302"),
        (500, "warning", "answers 500"),
    ],
)
def test_a_job_port_is_tried_without_a_token(server, monkeypatch, status: int, level: str, says: str) -> None:
    monkeypatch.setattr(services, "DASHBOARD_PORT", server(status))
    found = services.dashboard("127.0.0.1")
    assert found.level == level
    assert says in found.found


def test_a_cluster(server, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "DASHBOARD_PORT", closed_port)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    answers = list(services.cluster(f"127.0.0.1:{server(200)}"))
    assert [finding.level for finding in answers] == ["ok", "warning", "ok"]
    assert "does not answer from here (Connection refused)" in answers[2].found
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    gone = list(services.cluster(f"127.0.0.1:{closed_port}"))
    assert [finding.level for finding in gone] == ["problem", "ok"]
    assert "Connection refused" in gone[0].found


@pytest.mark.parametrize("address", ["auto", "ray://host:1", "host", "host:x", ":1", "host:99999"])
def test_an_address_that_no_study_takes(address: str) -> None:
    (found,) = services.cluster(address)
    assert found.level == "problem"


def test_the_address_of_the_environment_and_a_ray_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert [finding.level for finding in services.check(None)] == ["problem", "ok"]
    assert [finding.level for finding in services.check("local")] == ["ok", "ok"]
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert [finding.level for finding in services.check("local")] == ["warning", "ok"]


def test_mlflow(server, closed_port: int, tmp_path) -> None:
    assert services.mlflow(None).level == "ok"
    assert services.mlflow(f"http://me:secret@127.0.0.1:{server(200)}").level == "ok"
    assert services.mlflow(f"http://127.0.0.1:{server(401)}/").level == "ok"
    gone = services.mlflow(f"http://me:secret@127.0.0.1:{closed_port}")
    assert gone.level == "warning"
    assert "secret" not in gone.found
    assert services.mlflow(f"http://127.0.0.1:{server(500)}").found.endswith("answers 500")
    assert services.mlflow(f"sqlite:///{tmp_path}/mlflow.db").level == "ok"
    assert services.mlflow(f"sqlite:///{tmp_path}/no/mlflow.db").level == "warning"
    assert "secret" not in services.mlflow("postgresql://me:secret@host/db").found
    assert services.mlflow("http://127.0.0.1:99999").level == "warning"
    assert services.mlflow(f"http://{300 * 'x'}.y").level == "warning"
    assert services.mlflow("http://[").level == "warning"
