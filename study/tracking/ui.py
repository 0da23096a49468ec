"""Serves the MLflow pages of a storage folder on this machine, for known hosts only and without job execution."""

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

from analysis.words.safe_text import without_password
from study.definition.tracking_address import tracking_uri
from study.errors import ServiceError, UsageError
from study.machine import mlflow_server
from study.state import mlflow_record
from study.state.directory import studies_in

PORTS = range(5000, 5100)


@dataclass(frozen=True)
class Pages:
    """MLflow's pages at an address, and the process that serves them; None for an external server."""

    address: str
    process: subprocess.Popen[bytes] | None

    def wait(self, stopping: Callable[[], bool]) -> None:
        """Waits until ``stopping`` returns True; returns at once for an external server.

        Raises:
            ServiceError: The server ended unexpectedly.
        """
        while self.process is not None and not stopping():
            if self.process.poll() is not None:
                raise ServiceError(f"MLflow's server at {self.address} ended unexpectedly")
            time.sleep(0.1)


@contextlib.contextmanager
def serve(storage: Path, port: int | None = None) -> Iterator[Pages]:
    """Serves MLflow's pages while the block runs.

    Args:
        storage: Storage folder with the study directories.
        port: Port of the server; None takes the first free one from 5000 to 5099.

    Yields:
        The pages. If an external server tracks the studies, no server is started and the pages have its address.

    Raises:
        UsageError: No study in the folder has been tracked.
        ServiceError: The port is taken, or MLflow does not start.
    """
    uri = tracking_uri(None, None, storage)
    if uri.startswith("http"):
        yield Pages(without_password(uri.rstrip("/")), None)
        return
    if uri.startswith("sqlite") and not (storage / "mlflow.db").exists() and "MLFLOW_TRACKING_URI" not in os.environ:
        raise UsageError(f"{storage}: no runs here; `cskd launch ... --storage {storage}` creates some")
    port = _free_port(port)
    with tempfile.TemporaryFile() as log, _server(uri, storage, port, log) as process:
        mlflow_server.wait_until_ready(process, port, log)
        yield Pages(f"http://{mlflow_server.HOST}:{port}", process)


def links(storage: Path, address: str) -> dict[str, str]:
    """Returns the page of each tracked study in a storage folder, or the place where it is tracked instead."""
    here, found = without_password(tracking_uri(None, None, storage)), {}
    for directory in studies_in(storage):
        record = mlflow_record.read(directory)
        if record is not None:
            page = f"{address}/#/experiments/{record.experiment_id}/runs"
            found[directory.name] = page if record.uri == here else f"tracked at {record.uri}"
    return found


def page_or_command(directory: Path) -> str | None:
    """Returns the page of a study's runs, or the command that serves it; None if the study was not tracked."""
    record = mlflow_record.read(directory)
    if record is None:
        return None
    if record.uri.startswith("http"):
        return f"{record.uri.rstrip('/')}/#/experiments/{record.experiment_id}/runs"
    return f"cskd ui --storage {directory.parent}"


@contextlib.contextmanager
def _server(uri: str, storage: Path, port: int, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    options = ("--workers", "1", "--no-serve-artifacts", "--default-artifact-root", (storage / "mlartifacts").as_uri())
    process = mlflow_server.start(uri, port, log, options)
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
