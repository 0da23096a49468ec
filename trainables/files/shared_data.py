"""Data sets in an object store: put there with an inventory that comes last, so that nothing half-put is ever taken."""

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

BEGUN = "begun.json"  # stands for the inventory until all is there
WRITERS = 4  # objects at once; pyarrow sends the parts of each by threads of its own


@dataclass
class Told:
    """Counts bytes and tells of them, from any thread."""

    what: str
    total: int
    progress: Progress
    done: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, count: int) -> None:
        """So many more."""
        with self._lock:
            self.done += count
            self.progress(self.what, self.done, self.total)


class DataStore:
    """The data sets at a place in an object store.

    Args:
        uri: The place.
        patience_seconds: How long it is tried again while the store does not answer.

    Raises:
        ObjectStoreError: From every method, when the store does not answer, or refuses.
    """

    def __init__(self, uri: str, patience_seconds: float = OUTAGE_SECONDS) -> None:
        self.uri = uri
        self._store = ObjectStore(uri, patience_seconds, what="data")

    def shown(self, kept: str) -> str:
        """What is kept under a name, in messages."""
        return f"{shown(self.uri).rstrip('/')}/{kept}"

    def inventory(self, kept: str) -> Inventory | None:
        """What is kept under a name; None where that is not there, or not yet whole.

        Raises:
            DataError: The inventory is damaged.
        """
        name = inventory.name_of(kept)
        try:
            return Inventory.from_json(self._store.read(name))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{self.shown(name)} is damaged ({error}); remove it and put the data there again"
            ) from error

    def inventories(self, folders: Iterable[str]) -> dict[str, Inventory]:
        """What is kept at the place itself and in folders there, by name."""
        names = [name for folder in ("", *folders) for name in self._store.names(folder, deep=False)]
        found = {name.removesuffix(SUFFIX).removesuffix(".") for name in names if name.endswith(SUFFIX)}
        read = {kept: self.inventory(kept) for kept in sorted(found)}
        return {kept: each for kept, each in read.items() if each is not None}

    def pieces(self, path: str) -> list[Piece]:
        """The pieces of a file that is kept under its own name.

        Raises:
            DataError: It is not there.
        """
        found = self.inventory(path)
        if found is None:
            raise DataError(f"{self.shown(path)} is not there; `cskd data push` puts data sets into an object store")
        return list(found.pieces(path))

    def read(self, piece: Piece, start: int, length: int) -> bytes:
        """Bytes of a piece; fewer, perhaps none, where the object is damaged."""
        try:
            return self._store.read_range(piece.object, start, length)
        except FileNotFoundError:
            return b""

    def put(self, folder: Path, kept: str, progress: Progress) -> Inventory:
        """Puts what is kept under a name in a folder of data there; does nothing where it is there already.

        Args:
            folder: Of the data.
            kept: A file or folder in it; ``""`` is all.
            progress: Told of the bytes.

        Raises:
            DataError: There is nothing in the folder, or other data of this name in the store.
            OSError: A file cannot be read.
        """
        made, there = _taken(folder, kept, progress), self.inventory(kept)
        if there is not None and there.files != made.files:
            raise DataError(
                f"{self.shown(kept)} is there with other content, which studies may be reading; give another place, or "
                f"remove {inventory.name_of(kept)} there first"
            )
        begun = inventory.name_of(kept).replace(SUFFIX, BEGUN)
        goes_on = there is not None or self._holds(begun, made)
        self._store.write(begun, made.to_json())
        self._upload(folder, made, self._store.names() if goes_on else {}, progress)
        self._store.write(inventory.name_of(kept), made.to_json())
        self._store.delete(begun)
        return made

    def _holds(self, name: str, made: Inventory) -> bool:
        try:
            return self._store.read(name) == made.to_json()
        except FileNotFoundError:
            return False

    def _upload(self, folder: Path, made: Inventory, sizes: dict[str, int], progress: Progress) -> None:
        """Puts the pieces that are not among the objects of these sizes."""
        pieces = [(path, piece) for path in made.files for piece in made.pieces(path)]
        lacking = [(path, piece) for path, piece in pieces if sizes.get(piece.object) != piece.size]
        told = Told("put", sum(piece.size for _, piece in lacking), progress)

        def upload(path: str, piece: Piece) -> None:
            self._store.upload(piece.object, folder / path, piece.start, piece.size)
            told(piece.size)

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda each: upload(*each), lacking))


def _taken(folder: Path, kept: str, progress: Progress) -> Inventory:
    """The inventory of what a folder holds.

    Raises:
        DataError: It holds nothing.
    """
    names = inventory.files_below(folder, kept)
    if not names:
        raise DataError(f"{folder / kept} is missing or empty, so there is nothing to put into the object store")
    told = Told("check", sum((folder / name).stat().st_size for name in names), progress)
    return Inventory({name: inventory.pieces_of(folder / name, told) for name in names})
