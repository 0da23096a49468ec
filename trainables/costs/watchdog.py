"""Ends a process that hangs, and reports where."""

from __future__ import annotations

import contextlib
import faulthandler
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@contextlib.contextmanager
def watched(report: Path, seconds: float | None) -> Iterator[None]:
    """Ends this process if the block takes too long.

    The standard library's watchdog is a C thread that does not need the interpreter lock, so it also ends a process
    that is stuck in a kernel or a driver. Ray then ends the child processes.

    Args:
        report: File that receives the traceback of each thread; it is removed if the block ends in time.
        seconds: Maximum duration of the block in seconds; None for no limit.
    """
    if seconds is None:
        yield
        return
    report.parent.mkdir(parents=True, exist_ok=True)
    with report.open("wb") as file:
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            report.unlink(missing_ok=True)  # if the folder is gone, the block has already raised
