"""What was put into an object store of a data set: each file, cut into objects that prove their content."""

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
OBJECT_BYTES = 1 << 30  # pyarrow makes no object of more than 98 GiB in S3; a piece is also what is fetched again
BLOCK = 1 << 20


class Piece(NamedTuple):
    """A part of a file, an object each.

    Attributes:
        object: Name of the object, below the data's place.
        start: Of the part in the file.
        size: Bytes.
        sha256: Of these.
    """

    object: str
    start: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Inventory:
    """The files that are kept under a name.

    Attributes:
        files: Path below the data's place to size and SHA-256 of each piece, in order.
    """

    files: dict[str, list[tuple[int, str]]]

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(size for pieces in self.files.values() for size, _ in pieces)

    def pieces(self, path: str) -> Iterator[Piece]:
        """The pieces of a file, in order; a file of one piece is an object of its own name."""
        start, parts = 0, self.files[path]
        for number, (size, sha256) in enumerate(parts):
            yield Piece(path if len(parts) == 1 else f"{path}.{number:04d}", start, size, sha256)
            start += size

    def to_json(self) -> bytes:
        """As text that proves its own content."""
        return seal({"format": FORMAT, "files": self.files})

    @classmethod
    def from_json(cls, text: bytes) -> Inventory:
        """Reads what ``to_json`` wrote.

        Raises:
            ValueError: It is something else, damaged, of another version, or names files that lie elsewhere.
        """
        content = unseal(text)
        if content is None:
            raise ValueError("it is not what was written")
        if content.pop("format", None) != FORMAT:
            raise ValueError("another version of cs-kd-study wrote it")
        files = {
            _inside(path): [(int(size), str(sha)) for size, sha in each] for path, each in content["files"].items()
        }
        return cls(files)


def name_of(kept: str) -> str:
    """Name of the inventory of what is kept under a name; ``""`` is all that lies at the place.

    Example:
        >>> name_of("cub200/cub200-256.arrow"), name_of("")
        ('cub200/cub200-256.arrow.inventory.json', 'inventory.json')
    """
    return f"{kept}.{SUFFIX}" if kept else SUFFIX


def files_below(folder: Path, kept: str) -> list[str]:
    """The files kept under a name in a folder of data, by path; those with a leading dot are nobody's."""
    top = folder / kept
    found = [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
    names = sorted(str(path.relative_to(folder)) for path in found)
    return [name for name in names if not any(part.startswith(".") for part in PurePosixPath(name).parts)]


def pieces_of(path: Path, tell: Callable[[int], None]) -> list[tuple[int, str]]:
    """Size and SHA-256 of each piece of a file; one at least.

    Args:
        path: The file.
        tell: Told the bytes of each block that has been read.
    """
    with path.open("rb") as file:
        starts = range(0, max(path.stat().st_size, 1), OBJECT_BYTES)
        return [_piece(file, tell, OBJECT_BYTES) for _ in starts]


def right_pieces(path: Path, pieces: Iterable[tuple[int, str]]) -> int:
    """How many pieces of a file, from its beginning, are what they should be."""
    with path.open("rb") as file:
        return len(list(takewhile(lambda piece: _piece(file, lambda _: None, piece[0]) == piece, pieces)))


def _piece(file: BinaryIO, tell: Callable[[int], None], most: int) -> tuple[int, str]:
    """Size and SHA-256 of the next ``most`` bytes of a file, or of what is left of it."""
    sha256, size = hashlib.sha256(), 0
    while size < most and (block := file.read(min(BLOCK, most - size))):
        sha256.update(block)
        size += len(block)
        tell(len(block))
    return size, sha256.hexdigest()


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or "\0" in path or any(part.startswith(".") for part in parts):
        raise ValueError(f"it names {path!r}, which lies elsewhere")
    return str(PurePosixPath(path))
