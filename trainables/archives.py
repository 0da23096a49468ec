"""Published archives on disk: where data lies, downloads that are whole or absent, files that prove what they are."""

import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from filelock import FileLock

from trainables.errors import DataError


def data_folder(root: Path | None) -> Path:
    """The folder of the data: ``root``, else that of ``CSKD_DATA``, else the user's data folder.

    Raises:
        DataError: ``root`` is given and does not exist.
    """
    if root is not None:
        if not root.exists():
            raise DataError(f"{root} does not exist; create it or correct the data set's root")
        return root
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(os.environ.get("CSKD_DATA") or Path(home) / "cskd")


def read_verified(path: Path, md5: str) -> bytes:
    """Content of a published file.

    Raises:
        DataError: It is missing, unreadable or not the published one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; unpack or fetch its archive again") from error
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise DataError(f"{path} is damaged: its MD5 is not the published {md5}; delete it and fetch it again")
    return content


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Makes ``folder`` and keeps other processes of this machine from filling it at the same time.

    Raises:
        DataError: It is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".cskd.lock")
        lock.acquire()
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}; set CSKD_DATA to a folder that can") from error
    try:
        yield
    finally:
        lock.release()


def download(url: str, archive: Path, md5: str) -> None:
    """Fetches a published archive; ``archive`` appears when it is whole and its checksum right.

    Raises:
        DataError: It cannot be fetched or is not the published one; the message says which file to put where.
    """
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".download-") as folder:
        partial = Path(folder, archive.name)
        try:
            with urlopen(url, timeout=60) as response, partial.open("wb") as file:  # noqa: S310 - a data set's constant
                shutil.copyfileobj(response, file, 1 << 20)
        except (OSError, HTTPException) as error:
            raise DataError(f"{url} cannot be fetched ({error}); fetch it elsewhere and put it at {archive}") from error
        with partial.open("rb") as file:
            if hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != md5:
                raise DataError(
                    f"what came from {url} is not the published file; fetch it elsewhere, put it at {archive}"
                )
        partial.replace(archive)


def extract(archive: Path, name: str) -> None:
    """Unpacks the folder ``name`` of a tar archive beside it; the folder appears when it is whole.

    Raises:
        DataError: The archive is damaged or lacks the folder, or the disk is full.
    """
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".extract-") as folder:
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
            Path(folder, name).rename(archive.parent / name)
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            raise DataError(
                f"{archive} cannot be unpacked ({error}); if it is damaged, delete it and fetch it again"
            ) from error
