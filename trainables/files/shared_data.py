"""Data sets in an object store; the inventory is uploaded last, so that incomplete uploads are never read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from trainables.errors import DataError
from trainables.files import inventory
from trainables.files.inventory import SUFFIX, Inventory
from trainables.files.object_store import OUTAGE_SECONDS, ObjectStore, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from trainables.files.inventory import Piece

    Progress = Callable[[str, int, int], None]

BEGUN = "begun.json"  # replaces the inventory until the upload is complete
WRITERS = 4  # concurrent objects; pyarrow uploads the parts of each in its own threads


@dataclass
class ByteCounter:
    """Thread-safe counter of bytes that reports progress.

    Attributes:
        what: Name of the step.
        total: Number of bytes when the step is complete.
        progress: Callback that receives ``what``, ``done`` and ``total``.
        done: Number of bytes so far.
    """

    what: str
    total: int
    progress: Progress
    done: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, count: int) -> None:
        """Adds ``count`` bytes and reports progress."""
        with self._lock:
            self.done += count
            self.progress(self.what, self.done, self.total)


class DataStore:
    """Reads and writes the data sets at a location in an object store.

    Args:
        uri: URI of the data location.
        patience_seconds: Time for which an operation is retried while the store does not answer, in seconds.

    Raises:
        ObjectStoreError: Raised by every method if the store does not answer or rejects the request.
    """

    def __init__(self, uri: str, patience_seconds: float = OUTAGE_SECONDS) -> None:
        self.uri = uri
        self._store = ObjectStore(uri, patience_seconds, what="data")

    def shown(self, kept: str) -> str:
        """Returns the URI of a file or folder, for messages."""
        return f"{shown(self.uri).rstrip('/')}/{kept}"

    def inventory(self, kept: str) -> Inventory | None:
        """Returns the inventory of a file or folder; None if it is missing or its upload is incomplete.

        Raises:
            DataError: The inventory is damaged.
        """
        name = inventory.name_of(kept)
        try:
            return Inventory.from_json(self._store.read(name))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{self.shown(name)} is damaged ({error}); remove it and upload the data again") from error

    def inventories(self, folders: Iterable[str]) -> dict[str, Inventory]:
        """Returns the inventories at the data location and in its ``folders``, by path of the file or folder."""
        names = [name for folder in ("", *folders) for name in self._store.names(folder, deep=False)]
        found = {name.removesuffix(SUFFIX).removesuffix(".") for name in names if name.endswith(SUFFIX)}
        read = {kept: self.inventory(kept) for kept in sorted(found)}
        return {kept: each for kept, each in read.items() if each is not None}

    def pieces(self, path: str) -> list[Piece]:
        """Returns the pieces of a file that has its own inventory.

        Raises:
            DataError: The file does not exist.
        """
        found = self.inventory(path)
        if found is None:
            raise DataError(f"{self.shown(path)} does not exist; `cskd data push` uploads data sets to an object store")
        return list(found.pieces(path))

    def read(self, piece: Piece, start: int, length: int) -> bytes:
        """Returns bytes of a piece; fewer, possibly none, if the object is truncated or missing."""
        try:
            return self._store.read_range(piece.object, start, length)
        except FileNotFoundError:
            return b""

    def put(self, folder: Path, kept: str, progress: Progress) -> Inventory:
        """Uploads a file or folder; skips objects of the right size if an equal upload was begun or completed.

        Args:
            folder: Local data folder.
            kept: Path of the file or folder relative to ``folder``; ``""`` is the whole folder.
            progress: Callback that receives the bytes read and uploaded so far.

        Returns:
            Inventory of the uploaded files.

        Raises:
            DataError: The folder is empty, or the store holds different data under this name.
            OSError: A file cannot be read.
        """
        made, stored = _local_inventory(folder, kept, progress), self.inventory(kept)
        if stored is not None and stored.files != made.files:
            raise DataError(
                f"{self.shown(kept)} exists with different content, which studies may be reading; choose another "
                f"location, or remove {inventory.name_of(kept)} there first"
            )
        begun = inventory.name_of(kept).replace(SUFFIX, BEGUN)
        resumes = stored is not None or self._holds(begun, made)
        self._store.write(begun, made.to_json())
        self._upload(folder, made, self._store.names() if resumes else {}, progress)
        self._store.write(inventory.name_of(kept), made.to_json())
        self._store.delete(begun)
        return made

    def _holds(self, name: str, made: Inventory) -> bool:
        try:
            return self._store.read(name) == made.to_json()
        except FileNotFoundError:
            return False

    def _upload(self, folder: Path, made: Inventory, sizes: dict[str, int], progress: Progress) -> None:
        """Uploads the pieces whose object is missing or has another size in ``sizes``."""
        pieces = [(path, piece) for path in made.files for piece in made.pieces(path)]
        missing = [(path, piece) for path, piece in pieces if sizes.get(piece.object) != piece.size]
        counter = ByteCounter("put", sum(piece.size for _, piece in missing), progress)

        def upload(path: str, piece: Piece) -> None:
            self._store.upload(piece.object, folder / path, piece.start, piece.size)
            counter(piece.size)

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda each: upload(*each), missing))


def _local_inventory(folder: Path, kept: str, progress: Progress) -> Inventory:
    """Returns the inventory of a local file or folder.

    Raises:
        DataError: The folder is missing or empty.
    """
    names = inventory.files_below(folder, kept)
    if not names:
        raise DataError(f"{folder / kept} is missing or empty, so there is nothing to upload")
    counter = ByteCounter("check", sum((folder / name).stat().st_size for name in names), progress)
    return Inventory({name: inventory.pieces_of(folder / name, counter) for name in names})
