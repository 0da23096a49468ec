"""Room on the disk: looked at before a study begins and before each of its runs, for want of which none dies."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LEAST_BYTES = 32 << 20  # a run's lines, the database and its copy, result files; checkpoints come on top


def require(folder: Path) -> None:
    """Refuses to begin where there is next to no room.

    Args:
        folder: Where the next files will be; need not exist.

    Raises:
        OSError: Of the kind that a full disk raises; its message says how much is free.
    """
    if free_bytes(folder) < LEAST_BYTES:
        raise lack(folder)


def lack(folder: Path) -> OSError:
    """The error of a full disk, as the operating system would raise it."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def free_bytes(path: Path) -> int:
    """Bytes that may still be written to the file system of a path, which need not exist."""
    return shutil.disk_usage(next(place for place in (path, *path.absolute().parents) if place.exists())).free
