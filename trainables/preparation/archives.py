"""Published archives on disk: where data lies, downloads that are whole or absent, files that prove what they are."""

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
    """The folder of the data: ``root``, else that of ``CSKD_DATA``, else the user's data folder.

    Raises:
        DataError: ``root`` is given and does not exist, or the place is in an object store.
    """
    place = data_place(root)
    if isinstance(place, str):
        raise DataError(f"{shown(place)} is no folder; data is prepared in one, then `cskd data push` puts it there")
    if root is not None and not place.exists():
        raise DataError(f"{place} does not exist; create it or correct the data set's root")
    return place


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


@dataclass(frozen=True)
class PublishedFile:
    """A file of a data set as its authors offer it.

    Attributes:
        name: File name.
        url: Where it is.
        size: Bytes, where known.
        md5: Published checksum, where there is one.
        sha256: Likewise.
        into: Folder, below that of the unpacked data, that it is unpacked into.
        packed: Whether it is an archive; otherwise it is copied.
    """

    name: str
    url: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    into: str = "."
    packed: bool = True

    def verify(self, path: Path, *, published: bool = True) -> str:
        """Reads the file at ``path`` once.

        Args:
            path: What is said to be this file.
            published: Whether it has to be the published one; otherwise it is only read.

        Returns:
            Its SHA-256.

        Raises:
            DataError: It cannot be read or is not the published one.
        """
        md5, sha256, size = _checksums(path)
        for what, known, found in (("size", self.size, size), ("MD5", self.md5, md5), ("SHA-256", self.sha256, sha256)):
            if published and known is not None and known != found:
                raise DataError(
                    f"{path} is not the published {self.name}: its {what} is {found}, not {known}; fetch it again from "
                    f"{self.url}, or say which part of the data it holds (--expect)"
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
    """Fetches a published archive; ``archive`` appears when it is whole and its checksum right.

    What a broken connection left is kept beside it, hidden, and the next call goes on from there where the server can.

    Args:
        url: Where it is.
        archive: Where it goes.
        md5: Published checksum; None where there is none.
        progress: Told of the bytes that have come.

    Raises:
        DataError: It cannot be fetched or is not the published one; the message says which file to put where.
    """
    partial = archive.with_name(f".{archive.name}.partial")
    try:
        _fetch(url, partial, progress)
    except (OSError, HTTPException) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise DataError(f"{url} cannot be fetched ({error}); fetch it elsewhere and put it at {archive}") from error
    if md5 is not None and _checksums(partial)[0] != md5:
        partial.unlink()
        raise DataError(f"what came from {url} is not the published file; fetch it elsewhere, put it at {archive}")
    partial.replace(archive)


def _fetch(url: str, partial: Path, progress: Progress) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    try:
        _fetch_from(have, url, partial, progress)
    except HTTPError as error:
        error.close()
        if error.code != 416 or have == 0:
            raise
        _fetch_from(0, url, partial, progress)  # the server has nothing behind what is here: it may be another file


def _fetch_from(have: int, url: str, partial: Path, progress: Progress) -> None:
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 - a data set's constant
    with urlopen(request, timeout=60) as response:  # noqa: S310
        goes_on = have > 0 and response.status == 206
        done = have if goes_on else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else 0
        with partial.open("ab" if goes_on else "wb") as file:
            while block := response.read(BLOCK):
                file.write(block)
                done += len(block)
                progress("download", done, total)
    if done < total:
        raise HTTPException(f"the connection broke after {done} of {total} bytes")


def extract(archive: Path, name: str, into: Path | None = None) -> None:
    """Unpacks the folder ``name`` of an archive into a folder, its own by default; it appears when it is whole.

    Raises:
        DataError: The archive is damaged, hostile (see ``unpack``) or lacks the folder, or the disk is full.
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
