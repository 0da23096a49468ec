"""Folders of this machine for what is needed only while a process lives; those of killed processes are removed."""

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
    """A new folder in this process's own one, which lies in ``CSKD_SCRATCH``, else where temporary files go."""
    own, _ = _of_this_process(os.getpid())
    own.mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(dir=own))


def sweep() -> None:
    """Removes the folders whose processes are gone."""
    for owned in _place().glob(f"{PREFIX}*/{OWNER}"):
        with contextlib.suppress(Timeout, OSError), FileLock(owned, timeout=0):
            shutil.rmtree(owned.parent, ignore_errors=True)


@functools.lru_cache(maxsize=1)
def _of_this_process(process: int) -> tuple[Path, FileLock]:
    """The process's folder and the lock on it, which ends with the process."""
    del process  # one that was forked has a folder of its own
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
