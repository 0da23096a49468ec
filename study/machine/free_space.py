"""Checks the free space on a disk before a study and each of its runs start, so that no run fails on a full disk."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LEAST_BYTES = 32 << 20  # for a run's rows, the database and its copy, and the result files; without checkpoints


def require(folder: Path) -> None:
    """Checks that the file system of a folder has at least ``LEAST_BYTES`` bytes of free space.

    Args:
        folder: Folder of the next files; need not exist.

    Raises:
        OSError: The free space is too small; the error number is ``ENOSPC``.
    """
    if free_bytes(folder) < LEAST_BYTES:
        raise disk_full_error(folder)


def disk_full_error(folder: Path) -> OSError:
    """Returns the error that the operating system raises on a full disk."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def free_bytes(path: Path) -> int:
    """Returns the free bytes on the file system of a path, which need not exist."""
    return shutil.disk_usage(next(place for place in (path, *path.absolute().parents) if place.exists())).free
