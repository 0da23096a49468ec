"""Tests of the checks of listening ports."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.commands.doctor import ports

LISTEN = """
import socket, sys
with socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET) as found:
    found.bind((sys.argv[2], 0))
    found.listen()
    print(found.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[str, str], int]]:
    """Returns a function that starts a program of a given name that listens at an address, and returns its port."""
    running: list[subprocess.Popen[str]] = []

    def start(name: str, address: str) -> int:
        path = tmp_path / name
        path.write_text(LISTEN)
        command = [sys.executable, str(path), "x", address]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout is not None
        return int(running[-1].stdout.readline())

    yield start
    for each in running:
        each.communicate()


def test_programs_reachable_from_other_machines_are_listed_with_their_port(program) -> None:
    open_port, closed_port = program("gcs_server", "0.0.0.0"), program("raylet", "127.0.0.1")
    other = program("something", "0.0.0.0")
    (found,) = ports.check()
    assert found.level == "warning"
    assert f"gcs_server {open_port}" in found.found
    assert not {str(closed_port), str(other)} & set(found.found.replace(",", "").split())
    assert "firewall" in found.cure


@pytest.mark.parametrize(("name", "address"), [("mlflow", "127.0.0.1"), ("raylet", "::1")])
def test_programs_that_listen_on_loopback_are_found(program, name: str, address: str) -> None:
    port = program(name, address)
    assert ports.ListeningSocket(name, address, port) in ports.listeners()


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("/x/site-packages/ray/core/src/ray/gcs/gcs_server --a", "gcs_server"),
        ("/x/site-packages/ray/core/src/ray/raylet/raylet --a", "raylet"),
        ("ray::IDLE", "ray"),
        ("/x/bin/python /x/site-packages/ray/dashboard/agent.py", "ray"),
        ("python -m mlflow server --host 127.0.0.1", "mlflow"),
        ("python -m uvicorn mlflow.server.fastapi_app:app", "mlflow"),
        ("/home/ray/bin/python my_server.py", None),
    ],
)
def test_programs_are_identified_by_their_command(tmp_path: Path, command: str, program: str | None) -> None:
    (tmp_path / "cmdline").write_bytes(command.replace(" ", "\0").encode())
    assert ports._program(tmp_path) == program
