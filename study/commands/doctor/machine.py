"""Cores and memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from study.commands.doctor.finding import Finding
from study.machine.cores import usable_cores

GIBIBYTE = 2**30
LITTLE_MEMORY = 2 * GIBIBYTE  # Ray's processes take half a GiB, a worker with torch as much again
LITTLE_SHARED_MEMORY = GIBIBYTE // 4


def check() -> Iterator[Finding]:
    """What a study may use of the machine."""
    yield cores()
    yield memory()
    yield shared_memory()


def cores() -> Finding:
    """Cores that the container really grants."""
    usable, present = usable_cores(), os.cpu_count() or 1
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
