"""Base class of image stores: images of a split with their transforms, as used by training and evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor


class Draws(Protocol):
    """Protocol for the random draws of one view for an epoch, in anchor order."""

    def batch(self, start: int, stop: int) -> Draws:
        """Draws of the anchors from ``start`` up to, but not including, ``stop``."""


@dataclass(frozen=True)
class Mirrored:
    """A tensor with a copy on the host and one on the device, so that neither waits for the other.

    On a CPU both are the same tensor.
    """

    host: Tensor
    device: Tensor

    @classmethod
    def of(cls, host: Tensor, device: torch.device) -> Mirrored:
        """Copies a tensor from the host to the device."""
        return cls(host, host.to(device))

    def batch(self, start: int, stop: int) -> Mirrored:
        """Elements from ``start`` up to, but not including, ``stop``."""
        return Mirrored(self.host[start:stop], self.device[start:stop])


class AugmentingStore(ABC):
    """Images of a split with the training and the test transform of their data set.

    Batches are float32 ``[b, 3, height, width]``, normalised, channels_last.

    Attributes:
        height: Height of the images of a batch in pixels.
        width: Width of the images of a batch in pixels.
    """

    height: int
    width: int

    @abstractmethod
    def draw(self, generator: np.random.Generator, index: NDArray[np.int64], augmentation: Any) -> Draws:
        """Draws of an epoch for the images at ``index`` ``[n]``; the same on every device."""

    @abstractmethod
    def plain(self, index: Tensor) -> Tensor:
        """Images at ``index`` ``[b]``, a tensor on the device, under the test transform."""

    @abstractmethod
    def augmented(self, index: Tensor, draws: Any) -> Tensor:
        """Images at ``index`` ``[b]``, a tensor on the device, under the training transform with ``draws``."""

    def in_turn(self, requests: Iterable[tuple[Mirrored, Any]]) -> Generator[Tensor, None, None]:
        """Yields batches in the order of the requests; a store may prepare batches ahead.

        Args:
            requests: Indices ``[b]`` of the images of each batch, with the draws of the training transform or None for
                the test transform.
        """
        for index, draws in requests:
            yield self.plain(index.device) if draws is None else self.augmented(index.device, draws)
