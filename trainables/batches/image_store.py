"""What the input pipeline and the evaluation ask of a split's images."""

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
    """Random draws of one view for an epoch, in anchor order."""

    def batch(self, start: int, stop: int) -> Draws:
        """The draws of anchors ``start`` to ``stop``."""


@dataclass(frozen=True)
class Mirrored:
    """A tensor that both the host and the device hold, so that neither waits for the other; a CPU holds it once."""

    host: Tensor
    device: Tensor

    @classmethod
    def of(cls, host: Tensor, device: torch.device) -> Mirrored:
        """Copies a tensor of the host to the device."""
        return cls(host, host.to(device))

    def batch(self, start: int, stop: int) -> Mirrored:
        """Elements ``start`` to ``stop``."""
        return Mirrored(self.host[start:stop], self.device[start:stop])


class Store(ABC):
    """Images of a split with the two transforms of their data set; batches are float32, channels_last.

    Attributes:
        height: Of the images of a batch.
        width: Likewise.
    """

    height: int
    width: int

    @abstractmethod
    def draw(self, generator: np.random.Generator, index: NDArray[np.int64], augmentation: Any) -> Draws:
        """An epoch's draws for the images at ``index`` ``[n]``; the same on every device."""

    @abstractmethod
    def plain(self, index: Tensor) -> Tensor:
        """Test transform of the images at ``index`` ``[b]``, which is on the device."""

    @abstractmethod
    def augmented(self, index: Tensor, draws: Any) -> Tensor:
        """Training transform of the images at ``index`` ``[b]``, which is on the device, under ``draws``."""

    def in_turn(self, requests: Iterable[tuple[Mirrored, Any]]) -> Generator[Tensor, None, None]:
        """Batches in the order of the requests; a store may work ahead.

        Args:
            requests: The images' indices ``[b]``, and the draws of the training transform or None for the test
                transform.
        """
        for index, draws in requests:
            yield self.plain(index.device) if draws is None else self.augmented(index.device, draws)
