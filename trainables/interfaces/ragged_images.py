"""Images of different sizes without a copy: flat buffers of pixels, perhaps mapped files, and where each image lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainables.files.durable import sha256_of

CHANNELS = 3
MEMORY_LIMIT = 8 << 30


class Pixels(Protocol):
    """Bytes of images: an array, or what fetches those of an image when they are asked for."""

    def __getitem__(self, place: slice, /) -> NDArray[np.uint8]:
        """The bytes of the image that lies at ``place``."""


@dataclass(frozen=True, eq=False)
class RaggedImages:
    """RGB images as uint8, each in the order height, width, channel, in one or several flat buffers.

    Attributes:
        buffers: Bytes ``[.]``, arrays or elsewhere; writing to them changes no file.
        digests: What tells the content of each buffer from any other.
        buffer: In which buffer image i lies ``[n]``.
        start: Its first byte there ``[n]``.
        sizes: Its height and width in pixels ``[n, 2]``.
        memory_limit: Bytes that copies of them may take on a device.
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
        """Image ``[height, width, 3]``, not copied."""
        height, width = self.sizes[index]
        start = self.start[index]
        flat: NDArray[np.uint8] = self.buffers[self.buffer[index]][start : start + height * width * CHANNELS]
        return flat.reshape(height, width, CHANNELS)

    @property
    def is_streamed(self) -> bool:
        """Whether pixels come from elsewhere when they are asked for."""
        return not all(isinstance(buffer, np.ndarray) for buffer in self.buffers)

    @property
    def nbytes(self) -> int:
        """Bytes of the pixels of all images."""
        return int(self.sizes.prod(axis=1).sum()) * CHANNELS

    def take(self, indices: NDArray[np.int64]) -> RaggedImages:
        """The images at ``indices``, in that order, in the same buffers."""
        return replace(self, buffer=self.buffer[indices], start=self.start[indices], sizes=self.sizes[indices])

    def digest(self) -> str:
        """SHA-256 of which images these are; the buffers' own digests stand for their pixels."""
        places = (self.buffer, self.start, self.sizes)
        return sha256_of("\n".join(self.digests).encode() + b"".join(each.astype("<i8").tobytes() for each in places))


def join(parts: list[RaggedImages]) -> RaggedImages:
    """All images of the parts, in order, in the parts' buffers.

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
