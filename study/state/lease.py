"""One driver per study: a lock in its directory that dies with the driver."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from study.errors import HeldError, UsageError
from trainables.files.durable import write_atomic


@dataclass(frozen=True)
class Holder:
    """The driver that holds a study."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"{self.pid}@{self.host} since {self.since}"


@contextlib.contextmanager
def lease(directory: Path) -> Iterator[None]:
    """Holds the study while the block runs.

    The operating system gives the lock back when its process ends in whatever way, so a stale one needs no clean-up.

    Raises:
        HeldError: Another driver holds it.
    """
    lock = FileLock(directory / ".driver.lock")
    try:
        lock.acquire(timeout=1)  # not at once: whoever asks ``is_held`` has the lock for a moment
    except Timeout as error:
        who = holder(directory) or "another driver"
        raise HeldError(f"{directory}: held by {who}; wait for it, or stop it with `cskd stop {directory}`") from error
    try:
        me = Holder(os.getpid(), socket.gethostname(), time.strftime("%Y-%m-%d %H:%M:%S"))
        write_atomic(_file(directory), json.dumps(asdict(me)).encode())
        yield
    finally:
        _file(directory).unlink(missing_ok=True)
        lock.release()


def is_held(directory: Path) -> bool:
    """Whether a driver works on the study now."""
    if not (directory / ".driver.lock").exists():
        return False
    lock = FileLock(directory / ".driver.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False


def holder(directory: Path) -> Holder | None:
    """Who holds the study, or held it last before being killed."""
    try:
        return Holder(**json.loads(_file(directory).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def stop_holder(directory: Path) -> Holder:
    """Asks the driver of the study to stop cleanly.

    Raises:
        UsageError: No driver runs, or it runs on another host.
    """
    held = is_held(directory)  # first: a killed driver's note is still there when the next one has just begun
    found = holder(directory)
    if not held or found is None:
        raise UsageError(
            f"{directory}: no driver is running, so there is nothing to stop; `cskd status {directory}` says more"
        )
    if found.host != socket.gethostname():
        raise UsageError(f"{directory}: its driver runs on {found.host}; stop it there")
    os.kill(found.pid, signal.SIGINT)
    return found


def _file(directory: Path) -> Path:
    return directory / ".driver.json"
