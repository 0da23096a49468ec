"""Starts the MLflow pages for a storage folder: on this machine only, for known hosts, without running jobs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from study import tracking_record
from study.directory import studies_in
from study.errors import ServiceError, UsageError, without_password
from study.tracking_address import MLFLOW_SETTINGS, tracking_uri

HOST = "127.0.0.1"
PORTS = range(5000, 5100)
START_SECONDS = 90.0
END_SECONDS = 5.0


@dataclass(frozen=True)
class Pages:
    """MLflow's pages at an address, and the process that serves them; None when it is not ours."""

    address: str
    process: subprocess.Popen[bytes] | None

    def wait(self, stopping: Callable[[], bool]) -> None:
        """Returns when somebody asks to stop; at once when there is nothing to end.

        Raises:
            ServiceError: The server has ended by itself.
        """
        while self.process is not None and not stopping():
            if self.process.poll() is not None:
                raise ServiceError(f"MLflow's server at {self.address} has ended by itself")
            time.sleep(0.1)


@contextlib.contextmanager
def serve(storage: Path, port: int | None = None) -> Iterator[Pages]:
    """Runs MLflow's pages while the block runs.

    Args:
        storage: Folder of the study directories.
        port: None takes the first free one from 5000 on.

    Yields:
        The pages. A server that runs elsewhere is not started; its address is given.

    Raises:
        UsageError: Nothing has been tracked below the folder.
        ServiceError: The port is taken, or MLflow does not start.
    """
    uri = tracking_uri(None, None, storage)
    if uri.startswith("http"):
        yield Pages(without_password(uri.rstrip("/")), None)
        return
    if uri.startswith("sqlite") and not (storage / "mlflow.db").exists() and "MLFLOW_TRACKING_URI" not in os.environ:
        raise UsageError(f"{storage}: no runs here; `cskd launch ... --storage {storage}` makes some")
    port = _free_port(port)
    with tempfile.TemporaryFile() as log, _server(uri, storage, port, log) as process:
        address = f"http://{HOST}:{port}"
        _wait_until_ready(process, address, log)
        yield Pages(address, process)


def links(storage: Path, address: str) -> dict[str, str]:
    """For each tracked study of a storage folder the page of its runs, or where else it is tracked."""
    here, found = without_password(tracking_uri(None, None, storage)), {}
    for directory in studies_in(storage):
        record = tracking_record.read(directory)
        if record is not None:
            page = f"{address}/#/experiments/{record.experiment_id}/runs"
            found[directory.name] = page if record.uri == here else f"tracked at {record.uri}"
    return found


def way_to(directory: Path) -> str | None:
    """How to see the runs of a study: a page, or the command that starts one; None where nothing was tracked."""
    record = tracking_record.read(directory)
    if record is None:
        return None
    if record.uri.startswith("http"):
        return f"{record.uri.rstrip('/')}/#/experiments/{record.experiment_id}/runs"
    return f"cskd ui --storage {directory.parent}"


@contextlib.contextmanager
def _server(uri: str, storage: Path, port: int, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    names = (f"{HOST}:{port}", f"localhost:{port}")
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"),
        *("--allowed-hosts", ",".join(names), "--cors-allowed-origins", ",".join(f"http://{name}" for name in names)),
        *("--no-serve-artifacts", "--default-artifact-root", (storage / "mlartifacts").as_uri()),
    ]
    settings = {
        "MLFLOW_BACKEND_STORE_URI": uri,  # not among the words of the command, which everybody on this machine sees
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    process = subprocess.Popen(  # noqa: S603
        command, env=os.environ | MLFLOW_SETTINGS | settings, stdout=log, stderr=log, start_new_session=True
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the server and its workers; a page that is still open must not keep them."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            return


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, log: IO[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows nothing of this machine
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError, OSError), direct.open(f"{address}/health", timeout=2):
            return
        time.sleep(0.1)
    log.seek(0)
    last = (log.read().decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
    raise ServiceError(f"MLflow's server does not start: {last}")


def _free_port(wanted: int | None) -> int:
    for port in PORTS if wanted is None else (wanted,):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port
    taken = f"ports {PORTS[0]} to {PORTS[-1]} are taken" if wanted is None else f"port {wanted} is taken"
    raise ServiceError(f"{taken}; give another with --port")
