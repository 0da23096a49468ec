"""A second generation of a study's SQLite file: a copy at its last change, from which a driver mends a damaged one."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from trainables.files.durable import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

PREVIOUS = ".previous"
DAMAGED = ".damaged"
JOURNAL = "-journal"
HEADER_BYTES = 100
IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def keep(path: Path) -> None:
    """Copies the file as it is now, unless it is damaged; whenever a trial begins, is tried again or has ended.

    Raises:
        OSError: The disk is full or the directory not writable; the copy before is then intact.
    """
    if not is_whole(path):
        return
    with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(path)) as database:
        write_atomic(_beside(path, PREVIOUS), database.serialize())  # not while it is locked: the next change will


def is_whole(path: Path) -> bool:
    """Whether a SQLite file holds what it should; one that another process has locked counts as whole."""
    if not path.exists() or path.stat().st_size < HEADER_BYTES:  # to SQLite a sound database without tables
        return False
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            return database.execute("pragma integrity_check").fetchall() == [("ok",)]
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode in IN_USE


def mend(path: Path) -> str | None:
    """Puts the copy in the place of a file that is damaged or gone; only for whoever holds the study's lease.

    Returns:
        What was done; None where nothing is amiss, or where there is no copy that is whole.
    """
    copy = _beside(path, PREVIOUS)
    if not copy.exists() or is_whole(path) or not is_whole(copy):
        return None
    for part in ("", JOURNAL):  # the journal would be played back into the copy
        with contextlib.suppress(FileNotFoundError):
            _beside(path, part).replace(_beside(path, DAMAGED + part))
    write_atomic(path, copy.read_bytes())
    return f"{path} is damaged or gone; the study goes on with its copy from the last change"


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
