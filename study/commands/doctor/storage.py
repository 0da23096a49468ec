"""The storage folder: whether it can be written, keeps locks and time, has room, and who else may change it."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from study.commands.doctor.finding import Finding, Level

GIBIBYTE = 2**30
LITTLE_DISK = 5 * GIBIBYTE
NO_DISK = GIBIBYTE // 4
MOST_SECONDS_APART = 2.0
TRY_LOCKS = """
import fcntl, sys
for lock in (fcntl.flock, fcntl.lockf):
    with open(sys.argv[1], "r+b") as file:
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            continue
        print(lock.__name__)
"""


def check(storage: Path) -> Iterator[Finding]:
    """Whether studies can be made in the storage folder, which is not made by looking at it, and are safe there."""
    place = next(path for path in (storage, *storage.parents) if path.exists())
    will = "" if place == storage else f" (will be made in {place})"
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".cskd-doctor-") as file:
            yield Finding("ok", "storage", f"{storage}{will} is writable")
            now = time.time()
            os.utime(file.name)  # the file system's own time
            yield clock(now, Path(file.name).stat().st_mtime)
            yield locks(Path(file.name))
    except OSError as error:
        yield Finding(
            "problem", "storage", f"{place}: {error.strerror}", "give --storage or CSKD_STORAGE a folder of your own"
        )
    yield permissions(place)
    yield disk(place)


def permissions(place: Path) -> Finding:
    """Whether others on this machine may change what lies in the storage folder."""
    mode = stat.S_IMODE(place.stat().st_mode)
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return Finding(
            "warning", "permissions", f"everybody on this machine may change {place} ({mode:o})", f"chmod o-w {place}"
        )
    return Finding("ok", "permissions", f"{place} is not open to everybody's changes ({mode:o})")


def clock(before: float, written: float) -> Finding:
    """Whether the file system's clock agrees with this machine's; a file server has its own.

    Args:
        before: This machine's time when a file was written.
        written: The file's own time.
    """
    apart = written - before
    if abs(apart) <= MOST_SECONDS_APART:
        return Finding("ok", "clock", "agrees with the file system's")
    return Finding(
        "warning",
        "clock",
        f"the file system's is {abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}",
        "let both machines keep time (NTP); times in logs and in MLflow would not match, results do not depend on it",
    )


def disk(place: Path) -> Finding:
    """Room for checkpoints and results."""
    free = shutil.disk_usage(place).free
    level: Level = "problem" if free < NO_DISK else "warning" if free < LITTLE_DISK else "ok"
    cure = "" if level == "ok" else "make room; `cskd clean` removes checkpoints of finished runs"
    return Finding(level, "disk", f"{free / GIBIBYTE:.1f} GiB free in {place}", cure)


def locks(path: Path) -> Finding:
    """Whether another process respects both kinds of lock that studies and their database rely on."""
    command = [sys.executable, "-I", "-c", TRY_LOCKS, str(path)]
    try:
        with path.open("r+b") as flocked:
            fcntl.flock(flocked, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(flocked, fcntl.LOCK_EX | fcntl.LOCK_NB)
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("problem", "locks", f"do not work in {path.parent}: {error}", _LOCAL_DISK)
    if ignored := done.stdout.split():
        return Finding("problem", "locks", f"{' and '.join(ignored)} have no effect in {path.parent}", _LOCAL_DISK)
    return Finding("ok", "locks", "work in the storage folder")


_LOCAL_DISK = "put the storage folder on a local disk, or mount it with locks"
