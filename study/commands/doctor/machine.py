"""Checks cores, memory and shared memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from study.commands.doctor.finding import Finding
from study.machine.cores import usable_cores

GIBIBYTE = 2**30
LOW_MEMORY = 2 * GIBIBYTE  # bytes; Ray's processes take half a GiB, and so does a worker with torch
LOW_SHARED_MEMORY = GIBIBYTE // 4


def check() -> Iterator[Finding]:
    """Checks the resources that a study may use."""
    yield cores()
    yield memory()
    yield shared_memory()


def cores() -> Finding:
    """Reports the number of usable cores, which a container may limit."""
    usable, present = usable_cores(), os.cpu_count() or 1
    return Finding("ok", "cores", f"{usable}" if usable == present else f"{usable} of {present} usable")


def memory() -> Finding:
    """Checks free memory, within the limits of the machine and the container."""
    free = _free_memory()
    if free is None:
        return Finding("ok", "memory", "unknown")
    cure = "" if free >= LOW_MEMORY else "a study needs at least 2 GiB; close other programs or raise the memory limit"
    return Finding("warning" if cure else "ok", "memory", f"{_gibibytes(free)} free", cure)


def shared_memory() -> Finding:
    """Checks free shared memory, which Ray's object store uses."""
    place = Path("/dev/shm")  # noqa: S108 - only inspected
    if not place.is_dir():
        return Finding("warning", "shared memory", "no /dev/shm", "Ray uses the disk instead, which is slower")
    free = shutil.disk_usage(place).free
    cure = "" if free >= LOW_SHARED_MEMORY else "start the container with --shm-size=1g"
    return Finding("warning" if cure else "ok", "shared memory", f"{_gibibytes(free)} free", cure)


def _free_memory() -> int | None:
    found = [bytes_free for bytes_free in (_machine_memory(), _container_memory()) if bytes_free is not None]
    return min(found) if found else None


def _machine_memory() -> int | None:
    info = Path("/proc/meminfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _container_memory() -> int | None:
    """Returns the bytes left under the control group's limit (v2 or v1); reclaimable file pages count as free."""
    for folder, limit, used, droppable in (
        ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            limited, used_bytes = (Path(folder, name).read_text().strip() for name in (limit, used))
            pages = dict(line.split() for line in Path(folder, "memory.stat").read_text().splitlines())
            return None if limited == "max" else int(limited) - int(used_bytes) + int(pages.get(droppable, 0))
        except (OSError, ValueError):
            continue
    return None


def _gibibytes(count: int) -> str:
    return f"{count / GIBIBYTE:.1f} GiB"
