"""Identifies background processes through files, because the kernel may reuse a process id."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from trainables.files.durable import write_atomic

BOOT = Path("/proc/sys/kernel/random/boot_id")
END_SECONDS = 10.0


def record(path: Path, process: int) -> None:
    """Writes a process's id, start time and boot id to a file."""
    write_atomic(path, json.dumps({"process": process, "started": _started(process), "boot": _boot()}).encode())


def alive(path: Path) -> int | None:
    """Returns the id of a file's process, or None if it does not run or the file is missing or damaged."""
    known = _known(path)
    return int(known["process"]) if known and known["started"] == _started(int(known["process"])) else None


def end(path: Path) -> bool:
    """Ends a file's process and its process group and removes the file; returns whether the process was running.

    Workers may outlive the process. As long as they run, the kernel does not reuse its id.
    """
    process, known = alive(path), _known(path)
    if process is not None:
        _send(process, signal.SIGTERM)
        limit = time.monotonic() + END_SECONDS
        while alive(path) is not None and time.monotonic() < limit:
            time.sleep(0.05)
    if known and (process is not None or _started(int(known["process"])) is None):
        _send(int(known["process"]), signal.SIGKILL)
    path.unlink(missing_ok=True)
    return process is not None


def _known(path: Path) -> dict[str, Any] | None:
    """Returns the content of a file about a process of the current boot, or None."""
    try:
        known: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return known if known["boot"] == _boot() and known["started"] is not None else None


def _send(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, number)


def _started(process: int) -> str | None:
    """Returns a process's start time in clock ticks since boot, or None if it has ended or is a zombie."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _boot() -> str:
    return BOOT.read_text().strip()
