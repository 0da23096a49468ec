"""Makes the SQLite database of an MLflow store, whole or not at all.

MLflow makes one in dozens of steps; killed between two of them, it refuses the database from then on. So it is made
under another name, by a process of its own, which also spares the driver those seconds of work.
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
    """Makes the database of a SQLite URI unless it is there; of two that make it at once, one is kept.

    Args:
        uri: Of an MLflow store; one that is no SQLite file is left alone.

    Raises:
        ServiceError: It cannot be made.
    """
    name = make_url(uri).database if uri.startswith("sqlite") else None
    if not name or name == ":memory:" or Path(name).exists():
        return
    path = Path(name)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    _remove_stale(path)
    try:
        if reason := _failure_of_making(temporary):
            raise ServiceError(f"MLflow's database {path} cannot be made: {reason}")
        _put(temporary, path)
    except OSError as error:
        raise ServiceError(f"MLflow's database {path} cannot be made: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _put(temporary: Path, path: Path) -> None:
    """Gives the database its name; unlike a renaming, a link never takes the place of another's."""
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        temporary.rename(path)  # a file system without links


def _failure_of_making(path: Path) -> str | None:
    """Makes a database; returns what went wrong."""
    uri = URL.create("sqlite", database=str(path)).render_as_string()
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", MAKE, uri], env=os.environ | MLFLOW_SETTINGS, capture_output=True, text=True, check=False
    )
    return (done.stderr.strip().splitlines() or ["MLflow said nothing"])[-1] if done.returncode else None


def _remove_stale(path: Path) -> None:
    """What makers that were killed have left."""
    for left in path.parent.glob(f".{path.name}.*.tmp*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                left.unlink()
