"""Inventories of data sets in an object store: the files, and size and SHA-256 of the objects that hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from trainables.files.sealed_json import seal, unseal

SUFFIX = "inventory.json"
FORMAT = 1
OBJECT_BYTES = 1 << 30  # pyarrow writes at most 98 GiB to an S3 object; also the unit of a repeated download
BLOCK = 1 << 20


class Piece(NamedTuple):
    """A contiguous part of a file, stored as one object.

    Attributes:
        object: Name of the object, relative to the data location.
        start: Offset of the part in the file, in bytes.
        size: Size in bytes.
        sha256: SHA-256 of the bytes.
    """

    object: str
    start: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Inventory:
    """Files of a data set in an object store.

    Attributes:
        files: Size in bytes and SHA-256 of each piece, in order, by path relative to the data location.
    """

    files: dict[str, list[tuple[int, str]]]

    @property
    def nbytes(self) -> int:
        """Size of all files in bytes."""
        return sum(size for pieces in self.files.values() for size, _ in pieces)

    def pieces(self, path: str) -> Iterator[Piece]:
        """Yields the pieces of a file in order; the object of a file with one piece has the file's name."""
        start, parts = 0, self.files[path]
        for number, (size, sha256) in enumerate(parts):
            yield Piece(path if len(parts) == 1 else f"{path}.{number:04d}", start, size, sha256)
            start += size

    def to_json(self) -> bytes:
        """Returns the inventory as JSON with a checksum."""
        return seal({"format": FORMAT, "files": self.files})

    @classmethod
    def from_json(cls, text: bytes) -> Inventory:
        """Parses the output of ``to_json``.

        Raises:
            ValueError: The text is not an inventory, is damaged, has another version, or names a file outside the data
                location.
        """
        content = unseal(text)
        if content is None:
            raise ValueError("its checksum does not match")
        if content.pop("format", None) != FORMAT:
            raise ValueError("another version of cs-kd-study wrote it")
        files = {
            _inside(path): [(int(size), str(sha)) for size, sha in each] for path, each in content["files"].items()
        }
        return cls(files)


def name_of(kept: str) -> str:
    """Returns the name of the inventory of a file or folder; ``""`` stands for the whole data location.

    Example:
        >>> name_of("cub200/cub200-256.arrow"), name_of("")
        ('cub200/cub200-256.arrow.inventory.json', 'inventory.json')
    """
    return f"{kept}.{SUFFIX}" if kept else SUFFIX


def files_below(folder: Path, kept: str) -> list[str]:
    """Returns the relative paths of the files of ``kept`` (a file or folder) in ``folder``, sorted; skips dot files."""
    top = folder / kept
    found = [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
    names = sorted(str(path.relative_to(folder)) for path in found)
    return [name for name in names if not any(part.startswith(".") for part in PurePosixPath(name).parts)]


def pieces_of(path: Path, report: Callable[[int], None]) -> list[tuple[int, str]]:
    """Returns size and SHA-256 of each piece of a file; at least one piece.

    Args:
        path: File to read.
        report: Callback that receives the number of bytes of each block read.
    """
    with path.open("rb") as file:
        starts = range(0, max(path.stat().st_size, 1), OBJECT_BYTES)
        return [_piece(file, report, OBJECT_BYTES) for _ in starts]


def valid_pieces(path: Path, pieces: Iterable[tuple[int, str]]) -> int:
    """Returns how many leading pieces of a file match their size and checksum."""
    with path.open("rb") as file:
        return len(list(takewhile(lambda piece: _piece(file, lambda _: None, piece[0]) == piece, pieces)))


def _piece(file: BinaryIO, report: Callable[[int], None], most: int) -> tuple[int, str]:
    """Returns size and SHA-256 of the next ``most`` bytes of a file, or of the rest if it is shorter."""
    sha256, size = hashlib.sha256(), 0
    while size < most and (block := file.read(min(BLOCK, most - size))):
        sha256.update(block)
        size += len(block)
        report(len(block))
    return size, sha256.hexdigest()


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or "\0" in path or any(part.startswith(".") for part in parts):
        raise ValueError(f"it names {path!r}, which is outside the data location")
    return str(PurePosixPath(path))
