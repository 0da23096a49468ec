"""Processes that go on without us, known again by a file: a number alone may be somebody else's by now."""

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


def note(path: Path, process: int) -> None:
    """Writes which process it is, by number, start and boot of the machine."""
    write_atomic(path, json.dumps({"process": process, "started": _started(process), "boot": _boot()}).encode())


def alive(path: Path) -> int | None:
    """The process of a file where it still runs; None for a stale file, or none."""
    known = _known(path)
    return int(known["process"]) if known and known["started"] == _started(int(known["process"])) else None


def end(path: Path) -> bool:
    """Ends the process of a file with all of its session, and removes the file; says whether it was running.

    Its workers may have outlived it. While they do, the kernel gives its number to nobody else.
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
    """What a file says of a process of this boot of the machine; None where it says nothing."""
    try:
        known: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return known if known["boot"] == _boot() and known["started"] is not None else None


def _send(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, number)


def _started(process: int) -> str | None:
    """When a process began, in the kernel's ticks; None for one that is gone or only waits to be reaped."""
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] in "ZX" else words[19]


def _boot() -> str:
    return BOOT.read_text().strip()
