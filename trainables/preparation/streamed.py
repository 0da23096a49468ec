"""Streams prepared data from an object store: a local index gives offsets and checksums, pixels are read on demand.

The index, uploaded together with the prepared data, is an Arrow file with one record batch per part. It holds the
offset of each image in the prepared file and the CRC-32 of its pixels, because the checksum of a batch cannot verify a
single image.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from trainables.errors import DataError
from trainables.files.durable import replacing, sha256_of
from trainables.files.shared_data import DataStore
from trainables.interfaces.dataset import LabelledImages
from trainables.interfaces.ragged_images import RaggedImages
from trainables.preparation.arrow_file import MARK, PARTS, Description, Part, PreparedFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from trainables.files.inventory import Piece

COLUMNS = pa.schema(
    [
        pa.field("label", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("crc32", pa.uint32(), nullable=False),
    ]
)
_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError)


def index_of(kept: str) -> str:
    """Returns the name of the index of a prepared file.

    Example:
        >>> index_of("cub200/cub200-256.arrow")
        'cub200/cub200-256.index'
    """
    return f"{kept.removesuffix('.arrow')}.index"


def write_index(prepared: Path, path: Path, cure: str) -> None:
    """Verifies every byte of a prepared file and writes its index.

    Raises:
        DataError: The file is missing or damaged; ``cure`` ends the message.
    """
    opened = PreparedFile(prepared, cure)
    marked = COLUMNS.with_metadata({MARK: opened.description.to_json()})
    with replacing(path) as file, pa.ipc.new_file(file, marked) as writer:
        for part in PARTS:
            writer.write(_rows(opened.read(part)))


def _rows(found: LabelledImages) -> pa.RecordBatch:
    images = found.images
    assert isinstance(images, RaggedImages)  # noqa: S101 - prepared files always contain these
    crc32 = pa.array((zlib.crc32(images[number].data) for number in range(len(images))), pa.uint32())
    sizes = images.sizes.astype(np.int32)
    columns = [pa.array(found.labels.astype(np.int32)), pa.array(sizes[:, 0]), pa.array(sizes[:, 1])]
    return pa.RecordBatch.from_arrays([*columns, pa.array(images.start), crc32], schema=COLUMNS)


class Index:
    """Index of a prepared file.

    Args:
        path: Local copy of the index.

    Raises:
        DataError: The index is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._reader = pa.ipc.open_file(pa.memory_map(str(path)))
            self.description = Description.from_json((self._reader.schema.metadata or {}).get(MARK))
            if not self._reader.schema.equals(COLUMNS) or self._reader.num_record_batches != len(PARTS):
                raise ValueError("its columns or batches do not match its description")
        except _UNREADABLE as error:
            raise DataError(f"{path} is missing or damaged ({error}); `cskd data push` writes it again") from error

    def read(self, part: Part, uri: str, kept: str, memory_limit: int) -> LabelledImages:
        """Returns a part, whose pixels stay in the store.

        Args:
            part: ``train`` or ``test``.
            uri: URI of the data location.
            kept: Path of the prepared file relative to the data location.
            memory_limit: Largest size of the images in a device's memory, in bytes.

        Raises:
            DataError: The prepared file is not in the store.
            ObjectStoreError: The store does not answer, or rejects the request.
        """
        batch = self._reader.get_batch(PARTS.index(part))
        start, crc32 = batch["start"].to_numpy(), batch["crc32"].to_numpy()
        sizes = np.stack([batch["height"].to_numpy(), batch["width"].to_numpy()], axis=1).astype(np.int64)
        pixels = StreamedPixels(DataStore(uri), kept, start, crc32)
        digest = sha256_of("".join(getattr(self.description, part)).encode())
        buffer = np.zeros(len(start), np.int64)
        images = RaggedImages((pixels,), (digest,), buffer, start, sizes, memory_limit)
        labels = batch["label"].to_numpy().astype(np.int64)
        return LabelledImages(images, labels, self.description.classes, self.description.groups)


class StreamedPixels:
    """Reads single images of a prepared file in an object store. Thread-safe.

    Args:
        store: Store at the data location.
        kept: Path of the prepared file relative to the data location.
        start: Ascending file offset ``[n]`` of each image.
        crc32: CRC-32 ``[n]`` of each image's pixels.

    Raises:
        DataError: The file is not in the store.
        ObjectStoreError: The store does not answer, or rejects the request.
    """

    def __init__(self, store: DataStore, kept: str, start: NDArray[np.int64], crc32: NDArray[np.uint32]) -> None:
        self._store = store
        self._pieces = store.pieces(kept)
        self._ends = [piece.start for piece in self._pieces[1:]]
        self._start = start
        self._crc32 = crc32

    def __getitem__(self, place: slice) -> NDArray[np.uint8]:
        """Returns the bytes of the image at ``place``; reads again once if the checksum does not match.

        Raises:
            DataError: The image is damaged in the store.
            ObjectStoreError: The store does not answer, or rejects the request.
        """
        expected = self._crc32[np.searchsorted(self._start, place.start)]
        for _ in range(2):
            content = bytearray().join(self._parts(int(place.start), int(place.stop)))
            if zlib.crc32(content) == expected:
                return np.frombuffer(content, np.uint8)
        piece = self._piece(int(place.start))
        raise DataError(f"{self._store.shown(piece.object)} is damaged; remove it, then upload the data again")

    def _piece(self, position: int) -> Piece:
        return self._pieces[bisect_right(self._ends, position)]

    def _parts(self, start: int, stop: int) -> list[bytes]:
        """Reads bytes ``start`` to ``stop`` of the file, which may span several objects."""
        found = []
        while start < stop:
            piece = self._piece(start)
            end = min(stop, piece.start + piece.size)
            if end <= start:
                break
            found.append(self._store.read(piece, start - piece.start, end - start))
            start = end
        return found
