"""Copies of data sets on this machine: fetched once from an object store, verified, shared by all its processes."""

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
from trainables.files.durable import naming, sha256_of, sync_directory, write_atomic
from trainables.files.faultpoints import faultpoint
from trainables.files.inventory import Inventory, Piece
from trainables.files.prefetch import prefetched
from trainables.files.shared_data import DataStore, Told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trainables.files.shared_data import Progress

VARIABLE = "CSKD_CACHE"
RANGE_BYTES = 16 << 20  # a request each
READERS = 8  # requests at once


def folder_of(uri: str) -> Path:
    """Folder of this machine's copies of what lies at a place: below ``CSKD_CACHE``, else in the user's cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cskd" / "data"
    words = re.findall(r"[\w.-]+", uri.partition("?")[0])
    top = Path(os.environ.get(VARIABLE) or home).expanduser().absolute()
    return top / f"{words[-1].lstrip('.')}-{sha256_of(uri.encode())[:8]}"


def is_here(uri: str, kept: str) -> bool:
    """Whether this machine has a whole copy of what is kept under a name; asks nobody."""
    return _known(folder_of(uri), kept) is not None


def is_whole(uri: str, kept: str) -> bool:
    """Whether every byte of this machine's copy is what was put into the store; asks nobody."""
    folder = folder_of(uri)
    known = _known(folder, kept)
    return known is not None and all(_is_whole(folder, known, path) for path in known.files)


def fits(uri: str, kept: str, patience_seconds: float) -> bool:
    """Whether this machine has a copy of what is kept under a name, has begun one, or has room for one.

    Raises:
        DataError: The inventory is damaged.
        ObjectStoreError: The store does not answer, or refuses.
    """
    folder = folder_of(uri)
    there = None if is_here(uri, kept) else DataStore(uri, patience_seconds).inventory(kept)
    if there is None:
        return True
    begun = sum(_size(_partial(folder / path)) or _size(folder / path) for path in there.files)
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return there.nbytes <= shutil.disk_usage(existing).free + begun


def _size(place: Path) -> int:
    try:
        return place.stat().st_size
    except FileNotFoundError:  # another process may just have renamed it
        return 0


def doubt(uri: str, kept: str) -> None:
    """Has every byte of a copy compared with its checksum when it is next asked for."""
    (folder_of(uri) / inventory.name_of(kept)).unlink(missing_ok=True)


def bring(uri: str, kept: str, progress: Progress, patience_seconds: float) -> Path:
    """Fetches what is kept under a name, unless this machine has it as it is there now.

    One process fetches, others wait for it. A killed one has left what it fetched, and the next goes on from there. A
    copy that is whole serves also while the store does not answer, and when the data has been removed there.

    Args:
        uri: Of the data's place.
        kept: The name.
        progress: Told of the bytes.
        patience_seconds: How long a store is waited for that does not answer.

    Returns:
        Folder that holds the copy in the layout of a folder of data.

    Raises:
        DataError: It is not there, or damaged there, or this machine's folder cannot be written.
        ObjectStoreError: The store does not answer, or refuses.
        OSError: There is no room here.
    """
    store, folder = DataStore(uri, patience_seconds), folder_of(uri)
    known = _known(folder, kept)
    try:
        there = store.inventory(kept)
    except ObjectStoreError:
        if known is None:
            raise
        return folder
    if there is None and known is None:
        raise DataError(f"{store.shown(kept)} is not there; `cskd data push` puts data sets into an object store")
    if there is not None and known != there:
        with _exclusive(folder):
            if _known(folder, kept) != there:
                _Fetch(store, folder, there, progress).run()
                write_atomic(folder / inventory.name_of(kept), there.to_json())
    return folder


def _known(folder: Path, kept: str) -> Inventory | None:
    try:
        return Inventory.from_json((folder / inventory.name_of(kept)).read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_whole(folder: Path, wanted: Inventory, path: str) -> bool:
    place, pieces = folder / path, wanted.files[path]
    if not place.is_file() or place.stat().st_size != sum(size for size, _ in pieces):
        return False
    return inventory.right_pieces(place, pieces) == len(pieces)


def _partial(place: Path) -> Path:
    """Where a file is until it is whole."""
    return place.with_name(f".{place.name}.partial")


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".cskd.lock")
        lock.acquire()
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written: {error.strerror}; set {VARIABLE} to a folder of this machine that can"
        ) from error
    try:
        yield
    finally:
        lock.release()


class _Fetch:
    """Fetches the files of an inventory that a folder lacks, piece by piece, several requests ahead of the disk."""

    def __init__(self, store: DataStore, folder: Path, wanted: Inventory, progress: Progress) -> None:
        self._store = store
        self._folder = folder
        self._wanted = wanted
        self._progress = progress

    def run(self) -> None:
        """Brings the files, each in place when it is whole.

        Raises:
            DataError: A piece is damaged there, twice read.
            ObjectStoreError: The store does not answer.
            OSError: There is no room here.
        """
        lacking = {
            path: self._lacking(path) for path in self._wanted.files if not _is_whole(self._folder, self._wanted, path)
        }
        self._make_sure_of_room(sum(piece.size for pieces in lacking.values() for piece in pieces))
        everything = self._wanted.nbytes
        told = Told("fetch", everything, self._progress)
        told(everything - sum(piece.size for pieces in lacking.values() for piece in pieces))
        requests = (request for pieces in lacking.values() for piece in pieces for request in self._requests(piece))
        with closing(prefetched(requests, READERS, READERS)) as blocks:
            for path, pieces in lacking.items():
                self._fill(path, pieces, blocks, told)

    def _lacking(self, path: str) -> list[Piece]:
        """The pieces of a file from the first one that an earlier process did not fetch."""
        place, pieces = _partial(self._folder / path), list(self._wanted.pieces(path))
        if not place.exists():
            return pieces
        return pieces[inventory.right_pieces(place, self._wanted.files[path]) :]

    def _make_sure_of_room(self, needed: int) -> None:
        if needed > shutil.disk_usage(self._folder).free:
            why = f"no room for {needed:,} bytes of data, unless {VARIABLE} names a folder on a larger disk"
            raise OSError(errno.ENOSPC, why, str(self._folder))

    def _requests(self, piece: Piece) -> Iterator[partial[bytes]]:
        for start in range(0, max(piece.size, 1), RANGE_BYTES):
            yield partial(self._store.read, piece, start, min(RANGE_BYTES, piece.size - start))

    def _fill(self, path: str, pieces: list[Piece], blocks: Iterator[bytes], told: Told) -> None:
        place = self._folder / path
        partial_place = _partial(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        with naming(place), partial_place.open("ab") as file:
            file.truncate(pieces[0].start if pieces else sum(size for size, _ in self._wanted.files[path]))
            for piece in pieces:
                self._write(file, piece, islice(blocks, len(list(self._requests(piece)))), told)
                file.flush()
                faultpoint("data: piece fetched")
            os.fsync(file.fileno())
        partial_place.replace(place)
        sync_directory(place.parent)
        faultpoint("data: file in place, not said")

    def _write(self, file: BinaryIO, piece: Piece, blocks: Iterator[bytes], told: Told) -> None:
        """Adds a piece; one that is not what was put there is asked for once more."""
        if self._added(file, blocks, told) != piece.sha256:
            file.truncate(piece.start)
            if self._added(file, (request() for request in self._requests(piece)), lambda _: None) != piece.sha256:
                file.truncate(piece.start)
                raise DataError(
                    f"{self._store.shown(piece.object)} is damaged: it is not what was put there; remove it, then put "
                    "the data there again with `cskd data push`"
                )

    @staticmethod
    def _added(file: BinaryIO, blocks: Iterator[bytes], told: Callable[[int], None]) -> str:
        """Adds blocks to a file; their SHA-256."""
        sha256 = hashlib.sha256()
        for block in blocks:
            file.write(block)
            sha256.update(block)
            told(len(block))
        return sha256.hexdigest()
