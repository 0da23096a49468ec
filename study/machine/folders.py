"""Finds and creates the folders of studies."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from study.errors import CannotCreateError


def storage_folder(given: Path | None) -> Path:
    """Returns the folder of study directories: the flag, else ``CSKD_STORAGE``, else ``runs``, as an absolute path."""
    return (given or Path(os.environ.get("CSKD_STORAGE") or "runs")).expanduser().absolute()


def make_directory(path: Path) -> None:
    """Creates a directory and checks that it is writable.

    Raises:
        CannotCreateError: The directory cannot be created or written; the message names the path and the reason.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise CannotCreateError(f"{path}: cannot be created or written: {error.strerror}") from error
