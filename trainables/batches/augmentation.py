"""Training and test transforms of whole batches on the device: padded random crop, horizontal flip, normalisation.

Images stay uint8 in the order height, width, channel, so that a crop is a gather of contiguous rows and the float batch
comes out in the memory format that convolutions are fastest in (channels_last).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainables.batches.image_store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainables.interfaces import Augmentation


@dataclass(frozen=True)
class CropDraws:
    """Random draws of one view for an epoch, in anchor order: offsets in pixels and flips, each ``[n]``."""

    top: Tensor
    left: Tensor
    flip: Tensor

    def batch(self, start: int, stop: int) -> CropDraws:
        """The draws of anchors ``start`` to ``stop``."""
        return CropDraws(self.top[start:stop], self.left[start:stop], self.flip[start:stop])


def draw_crops(
    generator: np.random.Generator, count: int, augmentation: Augmentation, device: torch.device
) -> CropDraws:
    """Draws an epoch's crops and flips at once: offsets uniform in ``0 … 2·padding``, flips with their probability.

    The draws come from NumPy, so that they are the same on every device.
    """
    offsets = generator.integers(0, 2 * augmentation.padding + 1, size=(2, count))
    flips = generator.random(count) < augmentation.flip
    top, left, flip = (torch.from_numpy(values).to(device) for values in (offsets[0], offsets[1], flips))
    return CropDraws(top, left, flip)


class Normalisation:
    """Turns grey levels into what a network sees: ``(pixel / 255 - mean) / std``, channels first.

    Args:
        mean: Per channel, of images scaled to [0, 1].
        std: Likewise.
        size: Height and width of the images.
        device: Where they are.
    """

    def __init__(
        self,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        size: tuple[int, int],
        device: torch.device,
    ) -> None:
        # One multiplication and one addition; whole planes, because broadcasting over three interleaved channels is
        # many times slower on a CPU.
        scale = 1 / (255 * torch.tensor(std))
        shift = -torch.tensor(mean) / torch.tensor(std)
        self._scale, self._shift = (each.expand(*size, 3).contiguous().to(device) for each in (scale, shift))

    def __call__(self, images: Tensor) -> Tensor:
        """Float32 ``[b, 3, height, width]``, channels_last, of grey levels ``[b, height, width, 3]``."""
        return images.float().mul_(self._scale).add_(self._shift).permute(0, 3, 1, 2)


class ImageStore(Store):
    """Images of a split, resident on the device as uint8, with the two transforms of their data set.

    Args:
        images: uint8 ``[n, height, width, 3]``.
        mean: Per channel, of images scaled to [0, 1].
        std: Likewise.
        padding: Zero (black) pixels on each side, added once; 0 where only the test transform is needed.
        device: Where the images live and the batches are made.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        padding: int,
        device: torch.device,
    ) -> None:
        count, self.height, self.width, channels = images.shape
        self.padding = padding
        padded = torch.zeros(count, self.height + 2 * padding, self.width + 2 * padding, channels, dtype=torch.uint8)
        padded[:, padding : padding + self.height, padding : padding + self.width] = torch.from_numpy(images)
        padded = padded.to(device)
        # Every crop of every image as a view: indexing it with (image, top, left) copies just the pixels of the batch.
        sizes = (count, 2 * padding + 1, 2 * padding + 1, self.height, self.width, channels)
        n, h, w, c = padded.stride()
        self._windows = padded.as_strided(sizes, (n, h, w, h, w, c))
        self._normalised = Normalisation(mean, std, (self.height, self.width), device)

    def draw(self, generator: np.random.Generator, index: NDArray[np.int64], augmentation: Augmentation) -> CropDraws:
        """An epoch's draws for the images at ``index`` ``[n]``, on the device."""
        return draw_crops(generator, len(index), augmentation, self._windows.device)

    def plain(self, index: Tensor) -> Tensor:
        """Test transform: float32 ``[b, 3, height, width]``, channels_last, of the images at ``index`` ``[b]``."""
        return self._normalised(self._windows[index, self.padding, self.padding])

    def augmented(self, index: Tensor, draws: CropDraws) -> Tensor:
        """Training transform of the images at ``index`` ``[b]`` under ``draws``; shape and format as ``plain``."""
        if self._windows.device.type == "cpu":
            return self._normalised(self._cut_on_cpu(index, draws))
        crops = self._windows[index, draws.top, draws.left]
        return self._normalised(torch.where(draws.flip[:, None, None, None], crops.flip(2), crops))

    def _cut_on_cpu(self, index: Tensor, draws: CropDraws) -> Tensor:
        # NumPy copies crops row by row where torch goes by single elements, and only the flipped images are flipped,
        # which on a GPU would cost a host sync: twice as fast, the same pixels.
        crops = self._windows.numpy()[index.numpy(), draws.top.numpy(), draws.left.numpy()]
        flip = draws.flip.numpy()
        crops[flip] = torch.from_numpy(crops[flip]).flip(2).numpy()
        return torch.from_numpy(crops)
