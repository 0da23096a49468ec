"""Finds and creates the folders that studies are kept in."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from study.errors import CannotCreateError


def storage_folder(given: Path | None) -> Path:
    """The folder of study directories: the flag, else ``CSKD_STORAGE``, else ``runs`` in the working directory."""
    return (given or Path(os.environ.get("CSKD_STORAGE") or "runs")).expanduser().absolute()


def make_directory(path: Path) -> None:
    """Creates a directory and proves that it can be written.

    Raises:
        CannotCreateError: It cannot; the message names the path and the reason.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise CannotCreateError(f"{path}: cannot be created or written: {error.strerror}") from error
