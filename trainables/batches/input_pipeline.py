"""Batches with the views that a method declares; each epoch can be drawn without the earlier ones."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from trainables.batches.image_store import Mirrored
from trainables.batches.samplers import ClassPairSampler
from trainables.interfaces import Batch, View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from trainables.batches.image_store import AugmentingStore, Draws
    from trainables.interfaces import Augmentation, LabelledImages, ResizedCrop

AUGMENTATION_STREAM = 1000


@dataclass(frozen=True)
class EpochPlan:
    """All random choices of an epoch.

    Attributes:
        indices: Indices ``[n]`` of the images of each view, by name.
        draws: Draws of each augmented view, by name.
        labels: Labels of the anchors ``[n]``, on the device.
    """

    indices: dict[str, Mirrored]
    draws: dict[str, Draws]
    labels: Tensor


class InputPipeline:
    """Training batches of one run.

    Args:
        images: Images and labels of the training split.
        store: Store with the same images.
        augmentation: Training transform.
        views: Views that the method declares.
        batch_size: Number of anchors per batch. The last batch of an epoch may be smaller; a single remaining anchor is
            added to the batch before it, because batch norm needs two values.
        seed: Seed of the run.
        device: Device of the batches.
    """

    def __init__(
        self,
        images: LabelledImages,
        store: AugmentingStore,
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
        """Number of anchors per epoch."""
        return len(self._labels)

    def bounds(self) -> list[tuple[int, int]]:
        """Start and end (exclusive) of each batch of an epoch, in anchor order."""
        starts = list(range(0, self.anchors, self._batch_size))
        if len(starts) > 1 and self.anchors - starts[-1] == 1:
            starts.pop()
        return list(zip(starts, [*starts[1:], self.anchors], strict=True))

    def plan(self, epoch: int) -> EpochPlan:
        """Draws order, partners, crops and flips of an epoch; they depend only on seed and epoch."""
        chosen = self._sampler.epoch(epoch, {view.source for view in self._views})
        sources = {name: Mirrored.of(torch.from_numpy(index), self._device) for name, index in chosen.items()}
        indices = {view.name: sources[view.source] for view in self._views}
        draws = {
            view.name: self._store.draw(self._generator(epoch, number), chosen[view.source], self._augmentation)
            for number, view in enumerate(self._views)
            if view.augmented
        }
        return EpochPlan(indices, draws, torch.from_numpy(self._labels[chosen["anchor"]]).to(self._device))

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yields the batches of a zero-based epoch."""
        plan = self.plan(epoch)
        with closing(self._store.in_turn(self._requests(plan))) as images:
            for start, stop in self.bounds():
                yield Batch({view.name: next(images) for view in self._views}, plan.labels[start:stop])

    def _requests(self, plan: EpochPlan) -> Iterator[tuple[Mirrored, Draws | None]]:
        """Yields the indices and draws of each view of each batch."""
        for start, stop in self.bounds():
            for view in self._views:
                draws = plan.draws[view.name].batch(start, stop) if view.augmented else None
                yield plan.indices[view.name].batch(start, stop), draws

    def _generator(self, epoch: int, number: int) -> np.random.Generator:
        # Each view has its own random stream, so that an image is cropped differently as anchor and as partner.
        return np.random.Generator(
            np.random.Philox(np.random.SeedSequence([self._seed, epoch, AUGMENTATION_STREAM + number]))
        )
