"""Prepared data: one Arrow file per data set with decoded images, memory-mapped by every process of a machine.

The file consists of uncompressed Arrow IPC record batches, so that the pixels of an image are contiguous at a known
offset. A batch holds images of one part; training batches come first. The schema's metadata describes the file and
holds the SHA-256 of every batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trainables.errors import DataError
from trainables.files.durable import digest_of, replacing, sha256_of, write_atomic
from trainables.interfaces.dataset import LabelledImages
from trainables.interfaces.dataset_options import Counts
from trainables.interfaces.ragged_images import CHANNELS, MEMORY_LIMIT, RaggedImages

SCHEMA = 1
MARK = b"cskd.prepared"
Part = Literal["train", "test"]
PARTS: tuple[Part, ...] = ("train", "test")
COLUMNS = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("label", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("pixels", pa.large_binary(), nullable=False),
    ]
)
_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError)


@dataclass(frozen=True)
class Description:
    """Metadata of a prepared file.

    Attributes:
        name: Name of the data set.
        classes: Class names, in label order.
        groups: Group of each class; empty if the classes have no hierarchy.
        counts: Number of classes, training images and test images.
        side: Shorter side to which larger images were resized, in pixels; None if images have their published size.
        part: Whether the file was made from a part of the published data.
        sources: SHA-256 of each source file, by file name.
        notes: Number of images with each peculiarity (see ``Decoded.notes``).
        train: SHA-256 of each batch of training images.
        test: SHA-256 of each batch of test images.
    """

    name: str
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    counts: Counts
    side: int | None
    part: bool
    sources: dict[str, str]
    notes: dict[str, int]
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Returns the description as JSON with a checksum."""
        content = asdict(self) | {"counts": self.counts.model_dump(), "schema": SCHEMA}
        return json.dumps(content | {"checksum": digest_of(content)})

    @classmethod
    def from_json(cls, text: bytes | None) -> Description:
        """Parses the output of ``to_json``.

        Raises:
            ValueError: The text is not a description, is damaged, or has another version.
        """
        content: dict[str, Any] = json.loads(text or b"{}")
        if content.pop("checksum", None) != digest_of(content):
            raise ValueError("the checksum of its description does not match")
        if content.pop("schema") != SCHEMA:
            raise ValueError("another version of cs-kd-study wrote it")
        content["counts"] = Counts(**content["counts"])
        tuples = {key: tuple(content[key]) for key in ("classes", "groups", "train", "test")}
        return cls(**content | tuples)


def batch_of(names: list[str], labels: list[int], images: list[NDArray[np.uint8]]) -> pa.RecordBatch:
    """Builds a record batch from images ``[height, width, 3]``."""
    ends = np.cumsum([0, *(image.size for image in images)], dtype=np.int64)
    flat = np.concatenate([image.reshape(-1) for image in images])
    pixels = pa.Array.from_buffers(pa.large_binary(), len(images), [None, pa.py_buffer(ends), pa.py_buffer(flat)])
    sizes = np.array([image.shape[:2] for image in images], np.int32)
    columns = [pa.array(names), pa.array(labels, pa.int32()), pa.array(sizes[:, 0]), pa.array(sizes[:, 1]), pixels]
    return pa.RecordBatch.from_arrays(columns, schema=COLUMNS)


def digest_of_batch(batch: pa.RecordBatch) -> str:
    """Returns the SHA-256 of a batch's names, labels, sizes and pixels."""
    sha256 = hashlib.sha256(json.dumps(batch["name"].to_pylist()).encode())
    for column in ("label", "height", "width"):
        sha256.update(batch[column].to_numpy().astype("<i4").tobytes())
    flat, ends = _pixels(batch)
    sha256.update(ends.astype("<i8").tobytes())
    sha256.update(flat[: ends[-1]].data)
    return sha256.hexdigest()


def _pixels(batch: pa.RecordBatch) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Returns all pixels of a batch, and the offsets ``[n + 1]`` at which images begin and the last one ends."""
    _, ends, flat = batch["pixels"].buffers()
    return np.frombuffer(flat, np.uint8), np.frombuffer(ends, np.int64)[: len(batch) + 1]


@contextmanager
def arrow_writer(path: Path, marks: dict[bytes, str]) -> Iterator[pa.RecordBatchWriter]:
    """Opens a writer of record batches of ``COLUMNS``; the file is created atomically.

    Args:
        path: File to create.
        marks: Metadata of the schema.

    Raises:
        OSError: The disk is full or the folder is not writable; no partial file remains.
    """
    with replacing(path) as file, pa.ipc.new_file(file, COLUMNS.with_metadata(marks)) as writer:
        yield writer


class PreparedFile:
    """Memory-mapped prepared file; opening it reads only the description.

    Args:
        path: Prepared file.
        cure: Advice that ends error messages.

    Raises:
        DataError: The file is missing or damaged, or was written by another version.
    """

    def __init__(self, path: Path, cure: str) -> None:
        self._path = path
        self._cure = cure
        self._identity = str(_version(path, cure)).encode()
        try:
            # Copy on write: torch warns about read-only arrays, and writes must not reach the file.
            self._flat = np.memmap(path, np.uint8, mode="c")
            self._reader = pa.ipc.open_file(pa.py_buffer(self._flat))
            self.description = Description.from_json((self._reader.schema.metadata or {}).get(MARK))
            batches = len(self.description.train) + len(self.description.test)
            if not self._reader.schema.equals(COLUMNS) or self._reader.num_record_batches != batches:
                raise ValueError("its columns or batches do not match its description")
        except _UNREADABLE as error:
            raise self._damaged(error) from error

    def read(self, part: Part, memory_limit: int = MEMORY_LIMIT) -> LabelledImages:
        """Reads a part; pixels stay in the file, every byte is verified.

        Verifying a file larger than ``memory_limit`` takes minutes, so it is done once and recorded in a hidden marker
        file, which is valid until the size or modification time changes.

        Args:
            part: ``train`` or ``test``.
            memory_limit: Largest file that every process verifies, in bytes.

        Raises:
            DataError: The file is damaged.
        """
        digests = getattr(self.description, part)
        first = 0 if part == "train" else len(self.description.train)
        large = self._flat.nbytes > memory_limit
        known = large and self._was_verified(part)
        try:
            batches = [self._reader.get_batch(first + number) for number in range(len(digests))]
            for batch, digest in zip(batches, digests, strict=True):
                self._check(batch, None if known else digest)
            places = [self._places(batch) for batch in batches]
        except _UNREADABLE as error:
            raise self._damaged(error) from error
        if large and not known:
            with suppress(OSError):  # in a read-only folder the file is verified each time
                write_atomic(self._marker(part), self._identity)
        labels = np.concatenate([batch["label"].to_numpy() for batch in batches]).astype(np.int64)
        start, sizes = (np.concatenate(each) for each in zip(*places, strict=True))
        digest = sha256_of("".join(digests).encode())
        images = RaggedImages((self._flat,), (digest,), np.zeros(len(labels), np.int64), start, sizes, memory_limit)
        return LabelledImages(images, labels, self.description.classes, self.description.groups)

    def names(self, part: Part) -> list[str]:
        """Returns the published names of a part's images, in order."""
        first = 0 if part == "train" else len(self.description.train)
        batches = range(first, first + len(getattr(self.description, part)))
        return [name for number in batches for name in self._reader.get_batch(number)["name"].to_pylist()]

    def _marker(self, part: Part) -> Path:
        return self._path.with_name(f".{self._path.name}.{part}.verified")

    def _was_verified(self, part: Part) -> bool:
        try:
            return self._marker(part).read_bytes() == self._identity
        except OSError:
            return False

    def _check(self, batch: pa.RecordBatch, digest: str | None) -> None:
        batch.validate(full=True)
        _, ends = _pixels(batch)
        sizes = _sizes(batch)
        if not np.array_equal(np.diff(ends), sizes.prod(axis=1) * CHANNELS) or (sizes < 1).any():
            raise ValueError("the size of an image does not match its pixels")
        if digest is not None and digest_of_batch(batch) != digest:
            raise ValueError("its checksum does not match")

    def _places(self, batch: pa.RecordBatch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the file offset ``[n]`` and the size ``[n, 2]`` of each image."""
        flat, ends = _pixels(batch)
        return flat.ctypes.data - self._flat.ctypes.data + ends[:-1], _sizes(batch)

    def _damaged(self, error: Exception) -> DataError:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        return DataError(f"{self._path} is damaged ({why}); {self._cure}")


def _sizes(batch: pa.RecordBatch) -> NDArray[np.int64]:
    return np.stack([batch["height"].to_numpy(), batch["width"].to_numpy()], axis=1).astype(np.int64)


@lru_cache(maxsize=8)
def _opened(path: Path, cure: str, version: tuple[int, int]) -> PreparedFile:  # noqa: ARG001 - part of the cache key
    return PreparedFile(path, cure)


@lru_cache(maxsize=8)
def _mapped_part(path: Path, cure: str, version: tuple[int, int], part: Part, memory_limit: int) -> LabelledImages:
    return _opened(path, cure, version).read(part, memory_limit)


def read_part(path: Path, cure: str, part: Part, memory_limit: int) -> LabelledImages:
    """Reads a part of a prepared file; cached, so that consecutive trials of a process verify it once.

    Raises:
        DataError: The file is missing or damaged; ``cure`` ends the message.
    """
    return _mapped_part(path, cure, _version(path, cure), part, memory_limit)


def describe(path: Path, cure: str) -> Description:
    """Returns the description of a prepared file.

    Raises:
        DataError: The file is missing or damaged; ``cure`` ends the message.
    """
    return _opened(path, cure, _version(path, cure)).description


def _version(path: Path, cure: str) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} is missing; {cure}") from error
    return status.st_mtime_ns, status.st_size
