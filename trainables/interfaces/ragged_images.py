"""Images of different sizes in flat buffers, such as memory-mapped files, without copies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainables.files.durable import sha256_of

CHANNELS = 3
MEMORY_LIMIT = 8 << 30


class Pixels(Protocol):
    """Protocol for the bytes of images: an array, or an object that fetches the bytes of an image on access."""

    def __getitem__(self, place: slice, /) -> NDArray[np.uint8]:
        """Returns the bytes of the image at ``place``."""


@dataclass(frozen=True, eq=False)
class RaggedImages:
    """RGB images as uint8, each in the order height, width, channel, in one or several flat buffers.

    Attributes:
        buffers: Flat buffers of bytes; writing to them does not change a file.
        digests: Digest of the content of each buffer.
        buffer: Index of the buffer of each image ``[n]``.
        start: Offset of the first byte of each image in its buffer ``[n]``.
        sizes: Height and width of each image in pixels ``[n, 2]``.
        memory_limit: Maximum size in bytes of a copy of the images on a device.
    """

    buffers: tuple[NDArray[np.uint8] | Pixels, ...]
    digests: tuple[str, ...]
    buffer: NDArray[np.int64]
    start: NDArray[np.int64]
    sizes: NDArray[np.int64]
    memory_limit: int = MEMORY_LIMIT

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Returns image ``[height, width, 3]`` without a copy."""
        height, width = self.sizes[index]
        start = self.start[index]
        flat: NDArray[np.uint8] = self.buffers[self.buffer[index]][start : start + height * width * CHANNELS]
        return flat.reshape(height, width, CHANNELS)

    @property
    def is_streamed(self) -> bool:
        """Whether pixels are fetched on access, as from an object store."""
        return not all(isinstance(buffer, np.ndarray) for buffer in self.buffers)

    @property
    def nbytes(self) -> int:
        """Size of the pixels of all images in bytes."""
        return int(self.sizes.prod(axis=1).sum()) * CHANNELS

    def take(self, indices: NDArray[np.int64]) -> RaggedImages:
        """Selects the images at ``indices``, in that order, in the same buffers."""
        return replace(self, buffer=self.buffer[indices], start=self.start[indices], sizes=self.sizes[indices])

    def digest(self) -> str:
        """SHA-256 of the images: digests of their buffers, positions and sizes."""
        places = (self.buffer, self.start, self.sizes)
        return sha256_of("\n".join(self.digests).encode() + b"".join(each.astype("<i8").tobytes() for each in places))


def join(parts: list[RaggedImages]) -> RaggedImages:
    """Concatenates images in order, without a copy.

    Example:
        >>> one = RaggedImages((np.zeros(6, np.uint8),), ("a",), *(np.zeros(1, np.int64),) * 2, np.array([[1, 2]]))
        >>> join([one, one]).buffer
        array([0, 1])
    """
    offsets = np.cumsum([0, *(len(part.buffers) for part in parts)])
    return RaggedImages(
        buffers=tuple(buffer for part in parts for buffer in part.buffers),
        digests=tuple(digest for part in parts for digest in part.digests),
        buffer=np.concatenate([part.buffer + offset for part, offset in zip(parts, offsets, strict=False)]),
        start=np.concatenate([part.start for part in parts]),
        sizes=np.concatenate([part.sizes for part in parts]),
        memory_limit=min(part.memory_limit for part in parts),
    )
