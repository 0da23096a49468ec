"""Cores, memory, the storage folder, the data."""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from study import environment
from study.checks.finding import Finding, Level
from trainables import registry
from trainables.archives import data_folder

GIBIBYTE = 2**30
LITTLE_MEMORY = 2 * GIBIBYTE  # Ray's processes take half a GiB, a worker with torch as much again
LITTLE_SHARED_MEMORY = GIBIBYTE // 4
LITTLE_DISK = 5 * GIBIBYTE
NO_DISK = GIBIBYTE // 4
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
    """The machine, then the folders."""
    yield cores()
    yield memory()
    yield shared_memory()
    yield from folder(storage)
    yield data()


def cores() -> Finding:
    """Cores that the container really grants."""
    usable, present = environment.usable_cores(), os.cpu_count() or 1
    return Finding("ok", "cores", f"{usable}" if usable == present else f"{usable} of {present} may be used")


def memory() -> Finding:
    """Memory that is free, of the machine and of the container."""
    free = _free_memory()
    if free is None:
        return Finding("ok", "memory", "unknown")
    cure = "" if free >= LITTLE_MEMORY else "a study on Ray needs 2 GiB and more; close something or raise the limit"
    return Finding("warning" if cure else "ok", "memory", f"{_gibibytes(free)} free", cure)


def shared_memory() -> Finding:
    """Room for Ray's object store."""
    place = Path("/dev/shm")  # noqa: S108 - looked at, not written
    if not place.is_dir():
        return Finding("warning", "shared memory", "no /dev/shm", "Ray will use the disk, which is slower")
    free = shutil.disk_usage(place).free
    cure = "" if free >= LITTLE_SHARED_MEMORY else "give the container --shm-size=1g"
    return Finding("warning" if cure else "ok", "shared memory", f"{_gibibytes(free)} free", cure)


def folder(storage: Path) -> Iterator[Finding]:
    """Whether studies can be made in the storage folder; it is not made by looking at it."""
    place = next(path for path in (storage, *storage.parents) if path.exists())
    will = "" if place == storage else f" (will be made in {place})"
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".cskd-doctor-") as file:
            yield Finding("ok", "storage", f"{storage}{will} is writable")
            yield locks(Path(file.name))
    except OSError as error:
        yield Finding(
            "problem", "storage", f"{place}: {error.strerror}", "give --storage or CSKD_STORAGE a folder of your own"
        )
    free = shutil.disk_usage(place).free
    level: Level = "problem" if free < NO_DISK else "warning" if free < LITTLE_DISK else "ok"
    cure = "" if level == "ok" else "make room; `cskd clean` removes checkpoints of finished runs"
    yield Finding(level, "disk", f"{_gibibytes(free)} free in {place}", cure)


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


def data() -> Finding:
    """Which published data sets are on disk; the others are fetched when they are first used."""
    place = data_folder(None)
    known = {name: _on_disk(name, place) for name in registry.available("datasets")}
    ready = [name for name, found in known.items() if found]
    absent = [name for name, found in known.items() if found is False]
    later = f"; fetched at first use: {', '.join(absent)}" if absent else ""
    return Finding("ok", "data", f"in {place}: {', '.join(ready) or 'nothing yet'}{later}")


_LOCAL_DISK = "put the storage folder on a local disk, or mount it with locks"


def _on_disk(name: str, place: Path) -> bool | None:
    """Whether a data set's published files are in the data folder; None for one without such files."""
    module = importlib.import_module(registry.load("datasets", name).__module__)
    names = [getattr(module, key) for key in ("FOLDER", "ARCHIVE") if hasattr(module, key)]
    return any((place / found).exists() for found in names) if names else None


def _free_memory() -> int | None:
    found = [bytes_free for bytes_free in (_machine_memory(), _container_memory()) if bytes_free is not None]
    return min(found) if found else None


def _machine_memory() -> int | None:
    info = Path("/proc/meminfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _container_memory() -> int | None:
    """What a limit of control groups, of either version, leaves; file pages that can be dropped count as free."""
    for folder, limit, used, droppable in (
        ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            limited, taken = (Path(folder, name).read_text().strip() for name in (limit, used))
            pages = dict(line.split() for line in Path(folder, "memory.stat").read_text().splitlines())
            return None if limited == "max" else int(limited) - int(taken) + int(pages.get(droppable, 0))
        except (OSError, ValueError):
            continue
    return None


def _gibibytes(count: int) -> str:
    return f"{count / GIBIBYTE:.1f} GiB"
