"""Starts the MLflow pages for a storage folder: on this machine only, for known hosts, without running jobs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from study.definition.tracking_address import tracking_uri
from study.errors import ServiceError, UsageError, without_password
from study.machine import mlflow_server
from study.state import mlflow_record
from study.state.directory import studies_in

PORTS = range(5000, 5100)


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
        mlflow_server.wait_until_ready(process, port, log)
        yield Pages(f"http://{mlflow_server.HOST}:{port}", process)


def links(storage: Path, address: str) -> dict[str, str]:
    """For each tracked study of a storage folder the page of its runs, or where else it is tracked."""
    here, found = without_password(tracking_uri(None, None, storage)), {}
    for directory in studies_in(storage):
        record = mlflow_record.read(directory)
        if record is not None:
            page = f"{address}/#/experiments/{record.experiment_id}/runs"
            found[directory.name] = page if record.uri == here else f"tracked at {record.uri}"
    return found


def way_to(directory: Path) -> str | None:
    """How to see the runs of a study: a page, or the command that starts one; None where nothing was tracked."""
    record = mlflow_record.read(directory)
    if record is None:
        return None
    if record.uri.startswith("http"):
        return f"{record.uri.rstrip('/')}/#/experiments/{record.experiment_id}/runs"
    return f"cskd ui --storage {directory.parent}"


@contextlib.contextmanager
def _server(uri: str, storage: Path, port: int, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    words = ("--workers", "1", "--no-serve-artifacts", "--default-artifact-root", (storage / "mlartifacts").as_uri())
    process = mlflow_server.start(uri, port, log, words)
    try:
        yield process
    finally:
        mlflow_server.end(process)


def _free_port(wanted: int | None) -> int:
    port = mlflow_server.first_free(PORTS if wanted is None else (wanted,))
    if port is not None:
        return port
    taken = f"ports {PORTS[0]} to {PORTS[-1]} are taken" if wanted is None else f"port {wanted} is taken"
    raise ServiceError(f"{taken}; give another with --port")
