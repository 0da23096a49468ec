"""Crash-safe file writes: atomic replacement, durable append and checksums (standard library only)."""

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
    """Syncs a directory, so that created and renamed files survive a power failure."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def path_in_errors(path: Path) -> Iterator[None]:
    """Adds ``path`` to an ``OSError`` that names no file, as errors of ``write`` do."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a temporary file that replaces ``path`` atomically when the block ends.

    Readers see either the old file or the complete new one.

    Raises:
        OSError: The disk is full or the directory is not writable. On any error, also one raised in the block, the old
            file is intact and the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with path_in_errors(path), temporary.open("wb") as file:
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
    """Replaces the content of ``path`` atomically; readers see either the old or the complete new content.

    Raises:
        OSError: The disk is full or the directory is not writable; the old file is then intact.
    """
    with replacing(path) as file:
        file.write(content)


def append_json_line(path: Path, record: dict[str, Any]) -> None:
    """Appends one sealed JSON line and syncs the file; first terminates a line that an earlier kill truncated.

    The line is written by a single ``write`` in append mode, so that lines of several processes do not mix.

    Raises:
        OSError: The disk is full or the directory is not writable; readers skip an incomplete line.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    line = seal(record) + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        with path_in_errors(path):
            if os.write(descriptor, line) < len(line):  # the first sign of a full disk is a short write
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            faultpoint("durable: line appended, not synced")
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the records of ``path``; skips truncated and damaged lines; a missing file has no records."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        record = unseal(line)
        if record is not None:
            yield record


def sha256_of(content: bytes) -> str:
    """Returns the hexadecimal SHA-256 of ``content``."""
    return hashlib.sha256(content).hexdigest()


def digest_of(value: Any) -> str:
    """Returns a digest (16 hexadecimal digits) of a JSON-serialisable value, independent of the order of keys."""
    return sha256_of(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())[:16]
