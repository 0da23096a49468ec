"""Published archives: the data folder, resumable downloads, and verification against published checksums."""

import errno
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from filelock import FileLock

from trainables.errors import DataError
from trainables.files.object_store import shown
from trainables.files.places import Place, data_place
from trainables.interfaces.dataset import Progress, no_progress
from trainables.preparation.extraction import BLOCK, unpack

FULL = (errno.ENOSPC, errno.EDQUOT)


def data_folder(root: Place | None) -> Path:
    """Returns the data folder: ``root``, else ``CSKD_DATA``, else the user's data folder.

    Raises:
        DataError: ``root`` does not exist, or the location is in an object store.
    """
    place = data_place(root)
    if isinstance(place, str):
        raise DataError(f"{shown(place)} is not a folder; prepare the data in a folder, then run `cskd data push`")
    if root is not None and not place.exists():
        raise DataError(f"{place} does not exist; create it or correct the data set's root")
    return place


def read_verified(path: Path, md5: str) -> bytes:
    """Returns the content of a published file.

    Raises:
        DataError: The file is missing or unreadable, or its MD5 is not the published one.
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
    """Creates ``folder`` and locks it against other processes of this machine.

    Raises:
        DataError: The folder is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".cskd.lock")
        lock.acquire()
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}; set CSKD_DATA to a writable folder") from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class PublishedFile:
    """File of a data set as published by its authors.

    Attributes:
        name: File name.
        url: URL of the file.
        size: Size in bytes; None if unknown.
        md5: Published MD5; None if there is none.
        sha256: Published SHA-256; None if there is none.
        into: Target folder, relative to the folder of the unpacked data.
        packed: Whether the file is an archive; other files are copied.
    """

    name: str
    url: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    into: str = "."
    packed: bool = True

    def verify(self, path: Path, *, published: bool = True) -> str:
        """Verifies a local copy of this file.

        Args:
            path: Local copy.
            published: Whether to compare size and checksums with the published ones.

        Returns:
            SHA-256 of the local copy.

        Raises:
            DataError: The copy cannot be read or differs from the published file.
        """
        md5, sha256, size = _checksums(path)
        for what, known, found in (("size", self.size, size), ("MD5", self.md5, md5), ("SHA-256", self.sha256, sha256)):
            if published and known is not None and known != found:
                raise DataError(
                    f"{path} is not the published {self.name}: its {what} is {found}, not {known}; fetch it again from "
                    f"{self.url}, or give the counts of a part of the data with --expect"
                )
        return sha256


def _checksums(path: Path) -> tuple[str, str, int]:
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                md5.update(block)
                sha256.update(block)
                size += len(block)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return md5.hexdigest(), sha256.hexdigest(), size


def download(url: str, archive: Path, md5: str | None = None, progress: Progress = no_progress) -> None:
    """Downloads a published archive; ``archive`` is created when the download is complete and verified.

    A broken connection leaves a hidden partial file, from which the next call resumes if the server supports it.

    Args:
        url: URL of the archive.
        archive: Path to create.
        md5: Published MD5; None if there is none.
        progress: Callback that receives the bytes downloaded so far.

    Raises:
        DataError: The archive cannot be downloaded or is not the published one; the message names the file to provide.
    """
    partial = archive.with_name(f".{archive.name}.partial")
    try:
        _fetch(url, partial, progress)
    except (OSError, HTTPException) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise DataError(f"{url} cannot be fetched ({error}); fetch it another way and put it at {archive}") from error
    if md5 is not None and _checksums(partial)[0] != md5:
        partial.unlink()
        raise DataError(f"{url} is not the published file; fetch it another way and put it at {archive}")
    partial.replace(archive)


def _fetch(url: str, partial: Path, progress: Progress) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    try:
        _fetch_from(have, url, partial, progress)
    except HTTPError as error:
        error.close()
        if error.code != 416 or have == 0:
            raise
        _fetch_from(0, url, partial, progress)  # the partial file is longer than the server's, so it is another file


def _fetch_from(have: int, url: str, partial: Path, progress: Progress) -> None:
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 - a data set's constant
    with urlopen(request, timeout=60) as response:  # noqa: S310
        resumes = have > 0 and response.status == 206
        done = have if resumes else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else 0
        with partial.open("ab" if resumes else "wb") as file:
            while block := response.read(BLOCK):
                file.write(block)
                done += len(block)
                progress("download", done, total)
    if done < total:
        raise HTTPException(f"the connection broke after {done} of {total} bytes")


def extract(archive: Path, name: str, into: Path | None = None) -> None:
    """Unpacks the folder ``name`` of an archive atomically.

    Args:
        archive: Archive to unpack.
        name: Name of a top-level folder in the archive.
        into: Folder in which ``name`` is created; that of the archive by default.

    Raises:
        DataError: The archive is damaged, unsafe (see ``unpack``) or lacks the folder, or the disk is full.
    """
    into = archive.parent if into is None else into
    with tempfile.TemporaryDirectory(dir=into, prefix=".extract-") as folder:
        unpack(archive, Path(folder))
        try:
            Path(folder, name).rename(into / name)
        except OSError as error:
            raise DataError(
                f"{archive} cannot be unpacked ({error}); if it is damaged, delete it and fetch it again"
            ) from error
