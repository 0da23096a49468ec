"""Local copies of data sets in an object store: fetched once per machine, verified, shared by all processes."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from filelock import FileLock

from trainables.errors import DataError, ObjectStoreError
from trainables.files import inventory
from trainables.files.durable import path_in_errors, sha256_of, sync_directory, write_atomic
from trainables.files.faultpoints import faultpoint
from trainables.files.inventory import Inventory, Piece
from trainables.files.prefetch import prefetched
from trainables.files.shared_data import ByteCounter, DataStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trainables.files.shared_data import Progress

VARIABLE = "CSKD_CACHE"
RANGE_BYTES = 16 << 20  # bytes per request
READERS = 8  # concurrent requests


def folder_of(uri: str) -> Path:
    """Returns the folder of this machine's copies of a data location, in ``CSKD_CACHE`` or else the user's cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cskd" / "data"
    words = re.findall(r"[\w.-]+", uri.partition("?")[0])
    top = Path(os.environ.get(VARIABLE) or home).expanduser().absolute()
    return top / f"{words[-1].lstrip('.')}-{sha256_of(uri.encode())[:8]}"


def has_copy(uri: str, kept: str) -> bool:
    """Returns whether this machine has a complete copy of a file or folder; does not contact the store."""
    return _local_inventory(folder_of(uri), kept) is not None


def is_whole(uri: str, kept: str) -> bool:
    """Returns whether this machine's copy matches its checksums; reads every byte, does not contact the store."""
    folder = folder_of(uri)
    local = _local_inventory(folder, kept)
    return local is not None and all(_is_whole(folder, local, path) for path in local.files)


def fits(uri: str, kept: str, patience_seconds: float) -> bool:
    """Returns whether this machine has a copy of a file or folder, or enough free space to complete one.

    Raises:
        DataError: The inventory is damaged.
        ObjectStoreError: The store does not answer, or rejects the request.
    """
    folder = folder_of(uri)
    remote = None if has_copy(uri, kept) else DataStore(uri, patience_seconds).inventory(kept)
    if remote is None:
        return True
    begun = sum(_size(_partial(folder / path)) or _size(folder / path) for path in remote.files)
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return remote.nbytes <= shutil.disk_usage(existing).free + begun


def _size(place: Path) -> int:
    try:
        return place.stat().st_size
    except FileNotFoundError:  # another process may have renamed it meanwhile
        return 0


def invalidate(uri: str, kept: str) -> None:
    """Marks a copy as unverified, so that the next ``fetch`` compares every byte with its checksum."""
    (folder_of(uri) / inventory.name_of(kept)).unlink(missing_ok=True)


def fetch(uri: str, kept: str, progress: Progress, patience_seconds: float) -> Path:
    """Fetches a file or folder from an object store, unless this machine has an up-to-date copy.

    One process fetches while others wait. After a kill the next process resumes the download. A complete copy is used
    also if the store does not answer or no longer holds the data.

    Args:
        uri: URI of the data location.
        kept: Path of the file or folder relative to the data location.
        progress: Callback that receives the bytes fetched so far.
        patience_seconds: Time for which a store that does not answer is retried, in seconds.

    Returns:
        Folder with the copy, in the layout of a data folder.

    Raises:
        DataError: The data is missing or damaged in the store, or the local folder is not writable.
        ObjectStoreError: The store does not answer, or rejects the request.
        OSError: The disk is full.
    """
    store, folder = DataStore(uri, patience_seconds), folder_of(uri)
    local = _local_inventory(folder, kept)
    try:
        remote = store.inventory(kept)
    except ObjectStoreError:
        if local is None:
            raise
        return folder
    if remote is None and local is None:
        raise DataError(f"{store.shown(kept)} does not exist; `cskd data push` uploads data sets to an object store")
    if remote is not None and local != remote:
        with _exclusive(folder):
            if _local_inventory(folder, kept) != remote:
                _Fetch(store, folder, remote, progress).run()
                write_atomic(folder / inventory.name_of(kept), remote.to_json())
    return folder


def _local_inventory(folder: Path, kept: str) -> Inventory | None:
    try:
        return Inventory.from_json((folder / inventory.name_of(kept)).read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_whole(folder: Path, wanted: Inventory, path: str) -> bool:
    place, pieces = folder / path, wanted.files[path]
    if not place.is_file() or place.stat().st_size != sum(size for size, _ in pieces):
        return False
    return inventory.valid_pieces(place, pieces) == len(pieces)


def _partial(place: Path) -> Path:
    """Returns the path of an incomplete file."""
    return place.with_name(f".{place.name}.partial")


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".cskd.lock")
        lock.acquire()
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written: {error.strerror}; set {VARIABLE} to a writable folder of this machine"
        ) from error
    try:
        yield
    finally:
        lock.release()


class _Fetch:
    """Fetches the files of an inventory that are missing in a folder, piece by piece, with several requests ahead."""

    def __init__(self, store: DataStore, folder: Path, wanted: Inventory, progress: Progress) -> None:
        self._store = store
        self._folder = folder
        self._wanted = wanted
        self._progress = progress

    def run(self) -> None:
        """Fetches the missing files; renames each to its final name when it is complete.

        Raises:
            DataError: A piece in the store is damaged; it was read twice.
            ObjectStoreError: The store does not answer.
            OSError: The disk is full.
        """
        missing = {
            path: self._missing(path) for path in self._wanted.files if not _is_whole(self._folder, self._wanted, path)
        }
        self._check_free_space(sum(piece.size for pieces in missing.values() for piece in pieces))
        total = self._wanted.nbytes
        counter = ByteCounter("fetch", total, self._progress)
        counter(total - sum(piece.size for pieces in missing.values() for piece in pieces))
        requests = (request for pieces in missing.values() for piece in pieces for request in self._requests(piece))
        with closing(prefetched(requests, READERS, READERS)) as blocks:
            for path, pieces in missing.items():
                self._fill(path, pieces, blocks, counter)

    def _missing(self, path: str) -> list[Piece]:
        """Returns the pieces of a file that no earlier process has fetched."""
        place, pieces = _partial(self._folder / path), list(self._wanted.pieces(path))
        if not place.exists():
            return pieces
        return pieces[inventory.valid_pieces(place, self._wanted.files[path]) :]

    def _check_free_space(self, needed: int) -> None:
        if needed > shutil.disk_usage(self._folder).free:
            why = f"no free space for {needed:,} bytes of data; set {VARIABLE} to a folder on a larger disk"
            raise OSError(errno.ENOSPC, why, str(self._folder))

    def _requests(self, piece: Piece) -> Iterator[partial[bytes]]:
        for start in range(0, max(piece.size, 1), RANGE_BYTES):
            yield partial(self._store.read, piece, start, min(RANGE_BYTES, piece.size - start))

    def _fill(self, path: str, pieces: list[Piece], blocks: Iterator[bytes], counter: ByteCounter) -> None:
        place = self._folder / path
        partial_place = _partial(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        with path_in_errors(place), partial_place.open("ab") as file:
            file.truncate(pieces[0].start if pieces else sum(size for size, _ in self._wanted.files[path]))
            for piece in pieces:
                self._write(file, piece, islice(blocks, len(list(self._requests(piece)))), counter)
                file.flush()
                faultpoint("data: piece fetched")
            os.fsync(file.fileno())
        partial_place.replace(place)
        sync_directory(place.parent)
        faultpoint("data: file in place, not said")

    def _write(self, file: BinaryIO, piece: Piece, blocks: Iterator[bytes], counter: ByteCounter) -> None:
        """Appends a piece; fetches it a second time if its checksum does not match."""
        if self._append(file, blocks, counter) != piece.sha256:
            file.truncate(piece.start)
            if self._append(file, (request() for request in self._requests(piece)), lambda _: None) != piece.sha256:
                file.truncate(piece.start)
                raise DataError(
                    f"{self._store.shown(piece.object)} is damaged: its checksum does not match; remove it, then "
                    "upload the data again with `cskd data push`"
                )

    @staticmethod
    def _append(file: BinaryIO, blocks: Iterator[bytes], report: Callable[[int], None]) -> str:
        """Appends blocks to a file; returns their SHA-256."""
        sha256 = hashlib.sha256()
        for block in blocks:
            file.write(block)
            sha256.update(block)
            report(len(block))
        return sha256.hexdigest()
