"""Keeps a copy of a study's SQLite file from its last change, from which a driver restores a damaged file."""

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


def update(path: Path) -> None:
    """Replaces the copy by the current file unless the file is damaged.

    Called whenever a trial starts, is retried or ends.

    Raises:
        OSError: The disk is full, or the directory is not writable; the previous copy is then intact.
    """
    if not is_intact(path):
        return
    with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(path)) as database:
        write_atomic(_beside(path, PREVIOUS), database.serialize())  # skipped while locked; the next change copies


def is_intact(path: Path) -> bool:
    """Returns whether an SQLite file is intact; a file that another process has locked counts as intact."""
    if not path.exists() or path.stat().st_size < HEADER_BYTES:  # SQLite accepts an empty file as a valid database
        return False
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            return database.execute("pragma integrity_check").fetchall() == [("ok",)]
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode in IN_USE


def restore(path: Path) -> str | None:
    """Replaces a damaged or missing file by its copy; only the holder of the study's lock may call it.

    Returns:
        A message for the user, or None if the file is intact or there is no intact copy.
    """
    copy = _beside(path, PREVIOUS)
    if not copy.exists() or is_intact(path) or not is_intact(copy):
        return None
    for part in ("", JOURNAL):  # SQLite would apply the old journal to the copy
        with contextlib.suppress(FileNotFoundError):
            _beside(path, part).replace(_beside(path, DAMAGED + part))
    write_atomic(path, copy.read_bytes())
    return f"{path} is damaged or missing; it was restored from the copy of its last change"


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
