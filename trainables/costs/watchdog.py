"""Ends a process that hangs, and says where it stood."""

from __future__ import annotations

import contextlib
import faulthandler
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@contextlib.contextmanager
def watched(report: Path, seconds: float | None) -> Iterator[None]:
    """Ends this process when the block takes longer, whatever it does meanwhile.

    The standard library's watchdog is a thread in C that needs no lock of the interpreter's, so that it ends even a
    process that is stuck in a kernel or a driver. Ray then ends the process's children.

    Args:
        report: Gets the traceback of each thread then; else nothing is left of it.
        seconds: The longest that the block may take; None watches nothing.
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
            report.unlink(missing_ok=True)  # the folder may be gone, which the block has told
