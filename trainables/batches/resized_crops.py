"""Random crops of images of different sizes, resized to squares: training and test transforms of prepared data."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import tee
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainables.batches.augmentation import Normalisation
from trainables.batches.image_store import AugmentingStore, Mirrored
from trainables.batches.resampling import resize_box, resize_boxes
from trainables.batches.residency import host_buffer
from trainables.files.prefetch import prefetched
from trainables.interfaces.ragged_images import CHANNELS, RaggedImages

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from numpy.typing import NDArray

    from trainables.interfaces import ResizedCrop

ATTEMPTS = 10
TILE = 32  # pixels; rounding to tiles gives few different shapes, whose memory is reused
AHEAD = 8  # batches of one view, which is four steps with anchor and partner


@dataclass(frozen=True)
class BoxDraws:
    """Random crops of one view for an epoch, in anchor order.

    Attributes:
        boxes: Top, left, height and width of each box in pixels ``[n, 4]``.
        flip: Whether each crop is flipped horizontally ``[n]``.
    """

    boxes: Mirrored
    flip: Mirrored

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width in pixels that contain every box, rounded up to tiles; computed on the host."""
        height, width = (math.ceil(side / TILE) * TILE for side in self.boxes.host[:, 2:].amax(dim=0).tolist())
        return height, width

    def batch(self, start: int, stop: int) -> BoxDraws:
        """Draws of the anchors from ``start`` up to, but not including, ``stop``."""
        return BoxDraws(self.boxes.batch(start, stop), self.flip.batch(start, stop))


def draw_boxes(
    generator: np.random.Generator, sizes: NDArray[np.int64], augmentation: ResizedCrop
) -> NDArray[np.int64]:
    """Draws a box for each image by the rule of torchvision's ``RandomResizedCrop``.

    Area fraction and aspect ratio are drawn until the box fits into the image, at most ten times. Otherwise the box is
    the largest central one with an allowed aspect ratio. Positions are uniform over whole pixels.

    Args:
        generator: Source of randomness.
        sizes: Heights and widths of the images in pixels ``[n, 2]``.
        augmentation: Ranges of area fraction and aspect ratio.

    Returns:
        Top, left, height and width in pixels ``[n, 4]``.
    """
    shapes = _largest_allowed(sizes, augmentation.aspect)
    undecided = np.arange(len(sizes))
    for _ in range(ATTEMPTS):
        drawn = _draw_shapes(generator, sizes[undecided], augmentation)
        fits = ((drawn > 0) & (drawn <= sizes[undecided])).all(axis=1)
        shapes[undecided[fits]] = drawn[fits]
        undecided = undecided[~fits]
    places = np.floor(generator.random(sizes.shape) * (sizes - shapes + 1)).astype(np.int64)
    places[undecided] = (sizes - shapes)[undecided] // 2
    return np.concatenate([places, shapes], axis=1)


def _draw_shapes(
    generator: np.random.Generator, sizes: NDArray[np.int64], augmentation: ResizedCrop
) -> NDArray[np.int64]:
    low, high = augmentation.area
    share = low + (high - low) * generator.random(len(sizes))
    low, high = np.log(augmentation.aspect)
    aspect = np.exp(low + (high - low) * generator.random(len(sizes)))
    area = sizes.prod(axis=1) * share
    shapes: NDArray[np.int64] = np.rint(np.sqrt(np.stack([area / aspect, area * aspect], axis=1))).astype(np.int64)
    return shapes


def _largest_allowed(sizes: NDArray[np.int64], aspect: tuple[float, float]) -> NDArray[np.int64]:
    height, width = sizes.T
    low, high = np.rint(width / aspect[0]), np.rint(height * aspect[1])
    shapes = [np.minimum(height, np.maximum(low, 1)), np.minimum(width, np.maximum(high, 1))]
    return np.stack(shapes, axis=1).astype(np.int64)


def centre_box(height: int, width: int, size: int, resize: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Geometry of the test transform, as in torchvision's ``Resize`` and ``CenterCrop``.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        size: Side of the central square in pixels.
        resize: Shorter side after resizing in pixels.

    Returns:
        Height and width after resizing, and top and left of the central square.

    Example:
        >>> centre_box(300, 451, size=224, resize=256)
        ((256, 384), (16, 80))
    """
    shorter = min(height, width)
    resized = (int(resize * height / shorter), int(resize * width / shorter))
    return resized, (round((resized[0] - size) / 2), round((resized[1] - size) / 2))


class RaggedStore(AugmentingStore):
    """Images of different sizes of a split, with the training and the test transform of their data set.

    On a CPU the pixels stay in memory-mapped files, which all processes of a machine share. For a GPU they are copied
    to it once if they fit into ``memory_limit``; otherwise threads prepare crops ahead on the CPU. Results of the test
    transform are kept as uint8 on the device if they fit.

    Args:
        images: Images of the split.
        augmentation: Training and test transform.
        mean: Mean of each channel, for images scaled to [0, 1].
        std: Standard deviation of each channel, for images scaled to [0, 1].
        device: Device of the batches.

    Attributes:
        ahead: Number of batches of one view that threads prepare ahead on the CPU. It is 0 if all images are on the
            device, and on a CPU, where each core runs a trial.
    """

    def __init__(
        self,
        images: RaggedImages,
        augmentation: ResizedCrop,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        device: torch.device,
    ) -> None:
        self.height = self.width = self._size = augmentation.size
        self._images = images
        self._resize = augmentation.resize
        self._device = device
        self._normalised = Normalisation(mean, std, (self._size, self._size), device)
        self._buffer = torch.empty(0, dtype=torch.uint8)
        self._keeps_centres = len(images) * self._size**2 * CHANNELS <= images.memory_limit
        self._centres: Tensor | None = None
        self._resident: tuple[Tensor, Tensor, Tensor] | None = None
        self._may_reside = device.type != "cpu" and images.nbytes <= images.memory_limit
        self.ahead = 0 if device.type == "cpu" or (self._may_reside and self._keeps_centres) else AHEAD

    @property
    def threads(self) -> int:
        """Number of threads that prepare batches ahead."""
        return torch.get_num_threads()

    def draw(self, generator: np.random.Generator, index: NDArray[np.int64], augmentation: ResizedCrop) -> BoxDraws:
        """Draws of an epoch for the images at ``index`` ``[n]``, with NumPy: first the flips, then the boxes."""
        flip = generator.random(len(index)) < augmentation.flip
        boxes = draw_boxes(generator, self._images.sizes[index], augmentation)
        on_both = (Mirrored.of(torch.from_numpy(drawn), self._device) for drawn in (boxes, flip))
        return BoxDraws(*on_both)

    def plain(self, index: Tensor) -> Tensor:
        """Images at ``index`` ``[b]`` under the test transform, float32 ``[b, 3, size, size]``, channels_last."""
        if not self._keeps_centres:
            return self._sent(self._cut_centres(self._new_buffer(len(index)), index.cpu()))
        if self._centres is None:
            every = torch.arange(len(self._images))
            buffer = torch.empty(len(every), self._size, self._size, CHANNELS, dtype=torch.uint8)
            self._centres = self._cut_centres(buffer, every).to(self._device)
        return self._normalised(self._centres[index])

    def augmented(self, index: Tensor, draws: BoxDraws) -> Tensor:
        """Images at ``index`` ``[b]`` under the training transform, in the shape and format of ``plain``."""
        if not self._may_reside:
            return self._sent(self._cut(self._reused_buffer(len(index)), index.cpu(), draws))
        if self._resident is None:
            self._resident = self._copied()
        pixels, first, width = self._resident
        boxes, flip = draws.boxes.device, draws.flip.device
        crops = resize_boxes(pixels, first[index], width[index], boxes, self._size, draws.extent)
        return self._normalised(torch.where(flip[:, None, None, None], crops.flip(2), crops))

    def in_turn(self, requests: Iterable[tuple[Mirrored, BoxDraws | None]]) -> Generator[Tensor, None, None]:
        """Yields batches in the order of the requests; crops made on the CPU are prepared ``ahead``."""
        if not self.ahead:
            yield from super().in_turn(requests)
            return
        yielded, prepared = tee(requests)
        with closing(prefetched((self._work(*each) for each in prepared), self.ahead, self.threads)) as crops:
            for request, crop in zip(yielded, crops, strict=True):
                if crop is None:
                    yield from super().in_turn([request])
                else:
                    yield self._sent(crop)

    def _work(self, index: Mirrored, draws: BoxDraws | None) -> Callable[[], Tensor | None]:
        """Function that prepares the crops of a batch on the CPU; it returns None if the device makes them."""
        if self._keeps_centres if draws is None else self._may_reside:
            return lambda: None
        buffer = self._new_buffer(len(index.host))
        if draws is None:
            return partial(self._cut_centres, buffer, index.host)
        return partial(self._cut, buffer, index.host, draws)

    def _new_buffer(self, count: int) -> Tensor:
        return host_buffer((count, self._size, self._size, CHANNELS), torch.uint8, self._device)

    def _reused_buffer(self, count: int) -> Tensor:
        """Buffer that the next call reuses on a CPU, where new memory costs as much time as a crop."""
        if self._device.type != "cpu":
            return self._new_buffer(count)
        if count > len(self._buffer):
            self._buffer = self._new_buffer(count)
        return self._buffer[:count]

    def _sent(self, crops: Tensor) -> Tensor:
        return self._normalised(crops.to(self._device, non_blocking=True))

    def _cut(self, crops: Tensor, index: Tensor, draws: BoxDraws) -> Tensor:
        """Fills ``crops`` with pixels under the training transform."""
        pictures = self._pictures(index.tolist())
        rows = zip(crops, pictures, draws.boxes.host.tolist(), draws.flip.host.tolist(), strict=True)
        for target, image, box, flip in rows:
            crop = resize_box(image, tuple(box), (self._size, self._size))
            target.copy_(crop.flip(1) if flip else crop)
        return crops

    def _cut_centres(self, crops: Tensor, index: Tensor) -> Tensor:
        """Fills ``crops`` with pixels under the test transform."""
        size = self._size
        for target, image in zip(crops, self._pictures(index.tolist()), strict=True):
            height, width, _ = image.shape
            resized, (top, left) = centre_box(height, width, size, self._resize)
            whole = resize_box(image, (0, 0, height, width), resized)
            target.copy_(whole[top : top + size, left : left + size])
        return crops

    def _pictures(self, index: Iterable[int]) -> Iterator[Tensor]:
        """Images ``[height, width, 3]`` in the order of ``index``."""
        return map(self._image, index)

    @cached_property
    def _buffers(self) -> list[Tensor]:
        return [torch.from_numpy(buffer) for buffer in self._images.buffers]

    def _image(self, index: int) -> Tensor:
        height, width = self._images.sizes[index].tolist()
        start = int(self._images.start[index])
        flat: Tensor = self._buffers[self._images.buffer[index]][start : start + height * width * CHANNELS]
        return flat.view(height, width, CHANNELS)

    def _copied(self) -> tuple[Tensor, Tensor, Tensor]:
        """Copies all pixels to the device; returns them ``[p, 3]`` and each image's first pixel and width ``[n]``."""
        sizes = torch.from_numpy(self._images.sizes)
        last = sizes.prod(dim=1).cumsum(dim=0)
        pixels = torch.empty(int(last[-1]), CHANNELS, dtype=torch.uint8, device=self._device)
        first = last - sizes.prod(dim=1)
        for start, image in zip(first.tolist(), self._pictures(range(len(first))), strict=True):
            pixels[start : start + image.shape[0] * image.shape[1]] = image.reshape(-1, CHANNELS).to(self._device)
        return pixels, first.to(self._device), sizes[:, 1].to(self._device)
