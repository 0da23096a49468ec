"""Scratch folders on the local disk, removed when their process ends or, after a kill, by the next process."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

VARIABLE = "CSKD_SCRATCH"
PREFIX = "cskd-scratch-"
OWNER = "owner.lock"


def folder() -> Path:
    """Creates a scratch folder for this process, in ``CSKD_SCRATCH`` or else the default temporary directory."""
    own, _ = _process_folder(os.getpid())
    own.mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(dir=own))


def sweep() -> None:
    """Removes the scratch folders of processes that have ended."""
    for owned in _place().glob(f"{PREFIX}*/{OWNER}"):
        with contextlib.suppress(Timeout, OSError), FileLock(owned, timeout=0):
            shutil.rmtree(owned.parent, ignore_errors=True)


@functools.lru_cache(maxsize=1)
def _process_folder(process: int) -> tuple[Path, FileLock]:
    """Returns the folder of a process and its lock, which the system releases when the process ends."""
    del process  # the cache key: a forked process gets its own folder
    sweep()
    made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_place()))
    lock = FileLock(made / OWNER)
    lock.acquire()
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made, lock


def _place() -> Path:
    place = Path(os.environ.get(VARIABLE) or tempfile.gettempdir()).expanduser().absolute()
    place.mkdir(parents=True, exist_ok=True)
    return place
