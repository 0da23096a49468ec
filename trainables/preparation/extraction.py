"""Unpacks untrusted archives: only plain files and folders inside the target, no duplicates, limited size."""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from trainables.errors import DataError

MOST_MEMBERS = 3_000_000
MOST_BYTES = 1 << 40
MOST_TIMES_LARGER = 100
BLOCK = 1 << 20
_DAMAGE = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    tarfile.TarError,
    zipfile.BadZipFile,
    RuntimeError,  # an encrypted zip archive
    NotImplementedError,  # a compression that zipfile does not support
    FileExistsError,  # a member is both a file and a folder
    NotADirectoryError,
)


@dataclass
class _Guard:
    """Checks the members of an archive against path and size limits."""

    archive: Path
    names: set[str] = field(default_factory=set)
    bytes: int = 0

    def admit(self, name: str, size: int, *, folder: bool) -> PurePosixPath:
        """Registers a member and returns its path relative to the target.

        Raises:
            DataError: The path is outside the target, the member is a duplicate, or a limit is exceeded.
        """
        path = PurePosixPath(name)
        if not name or "\0" in name or "\\" in name or path.is_absolute() or ".." in path.parts:
            raise self.refused(f"its member {name!r} would lie outside the target")
        if str(path) in self.names and not folder:
            raise self.refused(f"it contains {name!r} twice")
        self.names.add(str(path))
        self.bytes += size
        largest = min(MOST_BYTES, max(BLOCK, self.archive.stat().st_size) * MOST_TIMES_LARGER)
        if len(self.names) > MOST_MEMBERS or self.bytes > largest:
            raise self.refused("it would become larger than any published archive")
        return path

    def refused(self, why: str) -> DataError:
        return DataError(f"{self.archive} is refused: {why}; fetch the published archive")


def unpack(archive: Path, folder: Path, wanted: Callable[[str], bool] = lambda _: True) -> None:
    """Unpacks a tar or zip archive, detected by content, into ``folder``.

    Permissions, owners and times are not restored. A tar archive inside a tar archive is unpacked as well, into a
    folder with its name without ``.tar``.

    Args:
        archive: Archive to unpack.
        folder: Target folder; created if missing.
        wanted: Predicate on paths in the archive; selects the files to write. All members are checked.

    Raises:
        DataError: The archive is damaged, contains a link, a device, a path outside the target or a duplicate name, or
            would become larger than any published archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    guard = _Guard(archive)
    with _named(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _unpack_zip(opened, folder, wanted, guard)
        else:
            with tarfile.open(archive) as tar:
                _unpack_tar(tar, folder, wanted, guard, PurePosixPath())


@contextmanager
def _named(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DataError(
            f"{archive} cannot be unpacked ({_first_line(error)}); if it is damaged, delete it and fetch it again"
        ) from error


def _first_line(error: Exception) -> str:
    """Returns the first line; tarfile appends one line per archive format that it tried."""
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(": ")


def _unpack_zip(archive: zipfile.ZipFile, folder: Path, wanted: Callable[[str], bool], guard: _Guard) -> None:
    for member in archive.infolist():
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise guard.refused(f"its member {member.filename!r} is a link or a device")
        path = guard.admit(member.filename, member.file_size, folder=member.is_dir())
        if not member.is_dir() and wanted(str(path)):
            with archive.open(member) as source:
                _write(source, folder / path)


def _unpack_tar(
    tar: tarfile.TarFile, folder: Path, wanted: Callable[[str], bool], guard: _Guard, below: PurePosixPath
) -> None:
    for member in tar:
        if not (member.isreg() or member.isdir()):
            raise guard.refused(f"its member {member.name!r} is a link or a device")
        name = str(below / member.name) if below.parts else member.name
        path = guard.admit(name, member.size, folder=member.isdir())
        source = tar.extractfile(member) if member.isreg() else None
        if source is None:
            continue
        if path.suffix == ".tar":
            with source, tarfile.open(fileobj=source) as inner:
                _unpack_tar(inner, folder, wanted, guard, path.with_suffix(""))
        elif wanted(str(path)):
            with source:
                _write(source, folder / path)


def _write(source: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        shutil.copyfileobj(source, file, BLOCK)
