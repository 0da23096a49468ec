"""Files that survive a kill at any moment: atomic replacement, durable append, checksums (standard library only)."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from trainables.files.faultpoints import faultpoint
from trainables.files.sealed_json import seal, unseal


def sync_directory(directory: Path) -> None:
    """Makes renames and new names in ``directory`` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Gives an error of writing the path that the operating system does not name."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of ``path`` when the block ends; a reader sees the old or the whole new one.

    Raises:
        OSError: The disk is full or the directory not writable. Then, and when the block raises, the old file is intact
            and nothing else is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path), temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        faultpoint("durable: written, not renamed")
        temporary.replace(path)
        faultpoint("durable: renamed, directory not synced")
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_atomic(path: Path, content: bytes) -> None:
    """Replaces ``path`` by ``content``; a reader sees the old file or the whole new one.

    Raises:
        OSError: The disk is full or the directory not writable; the old file is then intact.
    """
    with replacing(path) as file:
        file.write(content)


def append_json_line(path: Path, record: dict[str, Any]) -> None:
    """Appends one sealed JSON line and syncs it; a line that a kill cut off before is closed first.

    The write is a single ``write`` to a file opened for appending, so that lines of several processes do not mix.

    Raises:
        OSError: The disk is full or the directory not writable; readers then skip what was written of the line.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    line = seal(record) + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        with naming(path):
            if os.write(descriptor, line) < len(line):  # what a full disk says first
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            faultpoint("durable: line appended, not synced")
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the whole lines of ``path``; one cut off by a kill or damaged is skipped, a missing file is empty."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        record = unseal(line)
        if record is not None:
            yield record


def sha256_of(content: bytes) -> str:
    """Hexadecimal SHA-256 of ``content``."""
    return hashlib.sha256(content).hexdigest()


def digest_of(value: Any) -> str:
    """Short digest (16 hexadecimal digits) of a JSON-able value, independent of the order of keys."""
    return sha256_of(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())[:16]
