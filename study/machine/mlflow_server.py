"""Starts and ends an MLflow server that listens on this machine only, accepts known host names, and runs no jobs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from typing import IO

from study.errors import ServiceError

MLFLOW_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds; callers retry themselves
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
HOST = "127.0.0.1"
START_SECONDS = 90.0
END_SECONDS = 5.0


def start(
    uri: str, port: int, log: IO[bytes], arguments: Sequence[str], settings: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a server in its own session.

    Args:
        uri: URI of the store with the runs.
        port: Port that the server listens on.
        log: File for the server's output.
        arguments: Further command-line arguments; all users of this machine can see them.
        settings: Further environment variables.
    """
    names = (f"{HOST}:{port}", f"localhost:{port}")
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)),
        *("--allowed-hosts", ",".join(names), "--cors-allowed-origins", ",".join(f"http://{name}" for name in names)),
        *arguments,
    ]
    safe = {
        "MLFLOW_BACKEND_STORE_URI": uri,  # not an argument, because it may hold a password
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    environment = os.environ | MLFLOW_SETTINGS | safe | dict(settings or {})
    return subprocess.Popen(  # noqa: S603
        command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a server and its workers; kills them if an open page keeps them running."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            return


def wait_until_ready(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    """Returns when the server answers.

    Raises:
        ServiceError: The server ended, or did not answer in time; the message holds the last line of its output.
    """
    end_time = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end_time:
        if answers(port):
            return
        time.sleep(0.1)
    log.seek(0)
    last = (log.read().decode(errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
    raise ServiceError(f"the MLflow server did not start: {last}")


def answers(port: int) -> bool:
    """Returns whether a server at the port passes its health check."""
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({})
    )  # a proxy cannot reach this machine's loopback
    with contextlib.suppress(urllib.error.URLError, OSError), direct.open(f"http://{HOST}:{port}/health", timeout=2):
        return True
    return False


def first_free(ports: Iterable[int]) -> int | None:
    """Returns the first port that no process listens on, or None."""
    for port in ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port
    return None
