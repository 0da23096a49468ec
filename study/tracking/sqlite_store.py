"""Creates the SQLite database of an MLflow store atomically.

MLflow creates its database in dozens of steps and refuses one whose creation was interrupted. Therefore a subprocess
creates it under a temporary name, which also saves the driver some seconds of work.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from study.errors import ServiceError
from study.machine.mlflow_server import MLFLOW_SETTINGS

MAKE = "import sys; from mlflow import MlflowClient; MlflowClient(sys.argv[1]).search_experiments()"
STALE_SECONDS = 600


def ensure(uri: str) -> None:
    """Creates the database of an SQLite URI unless it exists; concurrent calls are safe.

    Args:
        uri: URI of an MLflow store; nothing is done unless it is an SQLite file.

    Raises:
        ServiceError: The database cannot be created.
    """
    name = make_url(uri).database if uri.startswith("sqlite") else None
    if not name or name == ":memory:" or Path(name).exists():
        return
    path = Path(name)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    _remove_stale(path)
    try:
        if reason := _create(temporary):
            raise ServiceError(f"MLflow's database {path} cannot be created: {reason}")
        _rename_unless_exists(temporary, path)
    except OSError as error:
        raise ServiceError(f"MLflow's database {path} cannot be created: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _rename_unless_exists(temporary: Path, path: Path) -> None:
    """Gives the database its name with a hard link, which unlike a rename never replaces an existing file."""
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        temporary.rename(path)  # the file system has no hard links


def _create(path: Path) -> str | None:
    """Creates a database; returns the reason if that fails."""
    uri = URL.create("sqlite", database=str(path)).render_as_string()
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", MAKE, uri], env=os.environ | MLFLOW_SETTINGS, capture_output=True, text=True, check=False
    )
    return (done.stderr.strip().splitlines() or ["MLflow printed no error"])[-1] if done.returncode else None


def _remove_stale(path: Path) -> None:
    """Removes temporary databases of processes that were killed."""
    for left in path.parent.glob(f".{path.name}.*.tmp*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                left.unlink()
