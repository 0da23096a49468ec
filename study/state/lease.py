"""Locks a study directory, so that a study has one driver at a time; the lock ends with the driver's process."""

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
    """Driver that holds the lock of a study.

    Attributes:
        pid: Process id.
        host: Host name.
        since: Local time at which the driver took the lock.
    """

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"{self.pid}@{self.host} since {self.since}"


@contextlib.contextmanager
def lease(directory: Path) -> Iterator[None]:
    """Holds the lock of a study while the block runs.

    The operating system releases the lock when the process ends, even if it is killed, so there are no stale locks.

    Raises:
        HeldError: Another driver holds the lock.
    """
    lock = FileLock(directory / ".driver.lock")
    try:
        lock.acquire(timeout=1)  # ``is_held`` of another process takes the lock for a moment
    except Timeout as error:
        other = holder(directory) or "another driver"
        raise HeldError(
            f"{directory}: held by {other}; wait for it, or stop it with `cskd stop {directory}`"
        ) from error
    try:
        own = Holder(os.getpid(), socket.gethostname(), time.strftime("%Y-%m-%d %H:%M:%S"))
        write_atomic(_file(directory), json.dumps(asdict(own)).encode())
        yield
    finally:
        _file(directory).unlink(missing_ok=True)
        lock.release()


def is_held(directory: Path) -> bool:
    """Returns whether a driver holds the lock of the study."""
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
    """Returns the driver that holds the lock, or that was killed while it held it; None without either."""
    try:
        return Holder(**json.loads(_file(directory).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def stop_holder(directory: Path) -> Holder:
    """Asks the driver of the study to stop cleanly.

    Raises:
        UsageError: No driver runs, or it runs on another host.
    """
    held = is_held(directory)  # before ``holder``: a new driver may not have replaced a killed driver's file yet
    found = holder(directory)
    if not held or found is None:
        raise UsageError(
            f"{directory}: no driver is running, so there is nothing to stop; see `cskd status {directory}`"
        )
    if found.host != socket.gethostname():
        raise UsageError(f"{directory}: its driver runs on {found.host}; stop it there")
    os.kill(found.pid, signal.SIGINT)
    return found


def _file(directory: Path) -> Path:
    return directory / ".driver.json"
