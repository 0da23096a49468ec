"""Checks the storage folder: writability, clock, locks, permissions and free space."""

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
LOW_DISK = 5 * GIBIBYTE  # bytes
MIN_DISK = GIBIBYTE // 4
MAX_CLOCK_SKEW_SECONDS = 2.0
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
    """Checks that studies can be stored safely in the folder; does not create the folder."""
    place = next(path for path in (storage, *storage.parents) if path.exists())
    state = "is writable" if place == storage else f"can be created in {place}"
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".cskd-doctor-") as file:
            yield Finding("ok", "storage", f"{storage} {state}")
            now = time.time()
            os.utime(file.name)  # sets the time from the file system's clock
            yield clock(now, Path(file.name).stat().st_mtime)
            yield locks(Path(file.name))
    except OSError as error:
        yield Finding(
            "problem", "storage", f"{place}: {error.strerror}", "set --storage or CSKD_STORAGE to a writable folder"
        )
    yield permissions(place)
    yield disk(place)


def permissions(place: Path) -> Finding:
    """Checks that not every user on this machine can change the studies in the storage folder."""
    mode = stat.S_IMODE(place.stat().st_mode)
    if not mode & stat.S_IWOTH:
        return Finding("ok", "permissions", f"{place} is not world-writable ({mode:o})")
    if mode & stat.S_ISVTX:
        return Finding("ok", "permissions", f"{place} is world-writable, but has the sticky bit ({mode:o})")
    return Finding("warning", "permissions", f"{place} is world-writable ({mode:o})", f"chmod o-w {place}")


def clock(before: float, written: float) -> Finding:
    """Checks the file system's clock against this machine's; a file server has its own clock.

    Args:
        before: Local time when a file was written, in seconds.
        written: Modification time of the file, in seconds.
    """
    skew = written - before
    if abs(skew) <= MAX_CLOCK_SKEW_SECONDS:
        return Finding("ok", "clock", "matches the file system's clock")
    return Finding(
        "warning",
        "clock",
        f"the file system's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}",
        "synchronize both machines (NTP); times in logs and MLflow will not match, but results are unaffected",
    )


def disk(place: Path) -> Finding:
    """Checks free space for checkpoints and results."""
    free = shutil.disk_usage(place).free
    level: Level = "problem" if free < MIN_DISK else "warning" if free < LOW_DISK else "ok"
    cure = "" if level == "ok" else "free some space; `cskd clean` removes checkpoints of finished runs"
    return Finding(level, "disk", f"{free / GIBIBYTE:.1f} GiB free in {place}", cure)


def locks(path: Path) -> Finding:
    """Checks that another process respects ``flock`` and ``lockf``, which studies and their database rely on."""
    command = [sys.executable, "-I", "-c", TRY_LOCKS, str(path)]
    try:
        with path.open("r+b") as flocked:
            fcntl.flock(flocked, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(flocked, fcntl.LOCK_EX | fcntl.LOCK_NB)
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("problem", "locks", f"do not work in {path.parent}: {error}", _LOCAL_DISK)
    if ignored := done.stdout.split():
        return Finding(
            "problem", "locks", f"{' and '.join(ignored)} locks have no effect in {path.parent}", _LOCAL_DISK
        )
    return Finding("ok", "locks", "work in the storage folder")


_LOCAL_DISK = "put the storage folder on a local disk, or mount its file system with locking"
