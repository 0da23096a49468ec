"""Batches with exactly the views that a method asks for; every epoch can be drawn without the earlier ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from trainables.interfaces import Batch, View
from trainables.samplers import ClassPairSampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from trainables.interfaces import Augmentation, LabelledImages, ResizedCrop

AUGMENTATION_STREAM = 1000


class Draws(Protocol):
    """Random draws of one view for an epoch, in anchor order."""

    def batch(self, start: int, stop: int) -> Draws:
        """The draws of anchors ``start`` to ``stop``."""


class Store(Protocol):
    """Images of a split with the two transforms of their data set; batches are float32, channels_last.

    Attributes:
        height: Of the images of a batch.
        width: Likewise.
    """

    height: int
    width: int

    def draw(self, generator: np.random.Generator, index: NDArray[np.int64], augmentation: Any) -> Draws:
        """An epoch's draws for the images at ``index`` ``[n]``; the same on every device."""

    def plain(self, index: Tensor) -> Tensor:
        """Test transform of the images at ``index`` ``[b]``."""

    def augmented(self, index: Tensor, draws: Any) -> Tensor:
        """Training transform of the images at ``index`` ``[b]`` under ``draws``."""


@dataclass(frozen=True)
class EpochPlan:
    """All random choices of an epoch, on the device: for each view the images' indices, and its draws."""

    indices: dict[str, Tensor]
    draws: dict[str, Draws]
    labels: Tensor


class InputPipeline:
    """Training batches of one run.

    Args:
        images: The training split.
        store: The same images on the device.
        augmentation: Training transform.
        views: What the method declares.
        batch_size: Anchors per batch; the last batch of an epoch may be smaller and is kept. A single anchor that would
            be left over joins the batch before, because batch normalisation needs two values.
        seed: Of the run.
        device: Where the batches are made.
    """

    def __init__(
        self,
        images: LabelledImages,
        store: Store,
        augmentation: Augmentation | ResizedCrop,
        views: tuple[View, ...],
        batch_size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._store = store
        self._augmentation = augmentation
        self._views = views
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._labels = images.labels
        self._sampler = ClassPairSampler(images.labels, seed)

    @property
    def anchors(self) -> int:
        """Anchors per epoch."""
        return len(self._labels)

    def bounds(self) -> list[tuple[int, int]]:
        """First and last-plus-one anchor of each batch of an epoch."""
        starts = list(range(0, self.anchors, self._batch_size))
        if len(starts) > 1 and self.anchors - starts[-1] == 1:
            starts.pop()
        return list(zip(starts, [*starts[1:], self.anchors], strict=True))

    def plan(self, epoch: int) -> EpochPlan:
        """Draws the epoch: order, partners, crops and flips, from (seed, epoch) alone."""
        chosen = self._sampler.epoch(epoch, {view.source for view in self._views})
        indices = {view.name: torch.from_numpy(chosen[view.source]).to(self._device) for view in self._views}
        draws = {
            view.name: self._store.draw(self._generator(epoch, number), chosen[view.source], self._augmentation)
            for number, view in enumerate(self._views)
            if view.augmented
        }
        return EpochPlan(indices, draws, torch.from_numpy(self._labels[chosen["anchor"]]).to(self._device))

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of a zero-based epoch."""
        plan = self.plan(epoch)
        for start, stop in self.bounds():
            views = {view.name: self._images(view, plan, start, stop) for view in self._views}
            yield Batch(views, plan.labels[start:stop])

    def _images(self, view: View, plan: EpochPlan, start: int, stop: int) -> Tensor:
        index = plan.indices[view.name][start:stop]
        if not view.augmented:
            return self._store.plain(index)
        return self._store.augmented(index, plan.draws[view.name].batch(start, stop))

    def _generator(self, epoch: int, number: int) -> np.random.Generator:
        # Each view draws from a stream of its own, so that the same image as anchor and as partner is cropped twice.
        return np.random.Generator(
            np.random.Philox(np.random.SeedSequence([self._seed, epoch, AUGMENTATION_STREAM + number]))
        )
