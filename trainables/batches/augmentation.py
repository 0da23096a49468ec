"""Transforms of whole batches on the device: padded random crop, horizontal flip, normalisation.

Images stay uint8 in the order height, width, channel. A crop is then a gather of contiguous rows, and the float batch
has the memory format in which convolutions are fastest (channels_last).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainables.batches.image_store import AugmentingStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainables.interfaces import Augmentation


@dataclass(frozen=True)
class CropDraws:
    """Random crops of one view for an epoch, in anchor order.

    Attributes:
        top: Vertical offset of each crop in pixels ``[n]``.
        left: Horizontal offset of each crop in pixels ``[n]``.
        flip: Whether each crop is flipped horizontally ``[n]``.
    """

    top: Tensor
    left: Tensor
    flip: Tensor

    def batch(self, start: int, stop: int) -> CropDraws:
        """Draws of the anchors from ``start`` up to, but not including, ``stop``."""
        return CropDraws(self.top[start:stop], self.left[start:stop], self.flip[start:stop])


def draw_crops(
    generator: np.random.Generator, count: int, augmentation: Augmentation, device: torch.device
) -> CropDraws:
    """Draws the crops and flips of an epoch with NumPy, so that they are the same on every device.

    Offsets are uniform in 0 to 2 · padding.

    Args:
        generator: Source of randomness.
        count: Number of images.
        augmentation: Padding in pixels and probability of a flip.
        device: Device of the result.
    """
    offsets = generator.integers(0, 2 * augmentation.padding + 1, size=(2, count))
    flips = generator.random(count) < augmentation.flip
    top, left, flip = (torch.from_numpy(values).to(device) for values in (offsets[0], offsets[1], flips))
    return CropDraws(top, left, flip)


class Normalisation:
    """Normalises images: ``(pixel / 255 - mean) / std``, channels first.

    Args:
        mean: Mean of each channel, for images scaled to [0, 1].
        std: Standard deviation of each channel, for images scaled to [0, 1].
        size: Height and width of the images in pixels.
        device: Device of the images.
    """

    def __init__(
        self,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        size: tuple[int, int],
        device: torch.device,
    ) -> None:
        # One multiplication and one addition with full-size factors: broadcasting over three interleaved channels is
        # many times slower on a CPU.
        scale = 1 / (255 * torch.tensor(std))
        shift = -torch.tensor(mean) / torch.tensor(std)
        self._scale, self._shift = (each.expand(*size, 3).contiguous().to(device) for each in (scale, shift))

    def __call__(self, images: Tensor) -> Tensor:
        """Converts pixels ``[b, height, width, 3]`` in [0, 255] to float32 ``[b, 3, height, width]``, channels_last."""
        return images.float().mul_(self._scale).add_(self._shift).permute(0, 3, 1, 2)


class ImageStore(AugmentingStore):
    """Images of a split as uint8 on the device, with the training and the test transform of their data set.

    Args:
        images: Images, uint8 ``[n, height, width, 3]``.
        mean: Mean of each channel, for images scaled to [0, 1].
        std: Standard deviation of each channel, for images scaled to [0, 1].
        padding: Number of black pixels on each side; 0 if only the test transform is used.
        device: Device of the images and the batches.
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
        # View of all crops of all images: indexing it with (image, top, left) copies only the pixels of the batch.
        sizes = (count, 2 * padding + 1, 2 * padding + 1, self.height, self.width, channels)
        n, h, w, c = padded.stride()
        self._windows = padded.as_strided(sizes, (n, h, w, h, w, c))
        self._normalised = Normalisation(mean, std, (self.height, self.width), device)

    def draw(self, generator: np.random.Generator, index: NDArray[np.int64], augmentation: Augmentation) -> CropDraws:
        """Draws of an epoch for the images at ``index`` ``[n]``, on the device."""
        return draw_crops(generator, len(index), augmentation, self._windows.device)

    def plain(self, index: Tensor) -> Tensor:
        """Images at ``index`` ``[b]`` under the test transform, float32 ``[b, 3, height, width]``, channels_last."""
        return self._normalised(self._windows[index, self.padding, self.padding])

    def augmented(self, index: Tensor, draws: CropDraws) -> Tensor:
        """Images at ``index`` ``[b]`` under the training transform, in the shape and format of ``plain``."""
        if self._windows.device.type == "cpu":
            return self._normalised(self._cut_on_cpu(index, draws))
        crops = self._windows[index, draws.top, draws.left]
        return self._normalised(torch.where(draws.flip[:, None, None, None], crops.flip(2), crops))

    def _cut_on_cpu(self, index: Tensor, draws: CropDraws) -> Tensor:
        # Twice as fast with the same pixels: NumPy copies whole rows, torch single elements. Flipping only some images
        # would synchronise a GPU with the host.
        crops = self._windows.numpy()[index.numpy(), draws.top.numpy(), draws.left.numpy()]
        flip = draws.flip.numpy()
        crops[flip] = torch.from_numpy(crops[flip]).flip(2).numpy()
        return torch.from_numpy(crops)
