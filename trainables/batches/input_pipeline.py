"""Batches with exactly the views that a method asks for; every epoch can be drawn without the earlier ones."""

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

    from trainables.batches.image_store import Draws, Store
    from trainables.interfaces import Augmentation, LabelledImages, ResizedCrop

AUGMENTATION_STREAM = 1000


@dataclass(frozen=True)
class EpochPlan:
    """All random choices of an epoch: for each view the images' indices and its draws; labels on the device."""

    indices: dict[str, Mirrored]
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
        sources = {name: Mirrored.of(torch.from_numpy(index), self._device) for name, index in chosen.items()}
        indices = {view.name: sources[view.source] for view in self._views}
        draws = {
            view.name: self._store.draw(self._generator(epoch, number), chosen[view.source], self._augmentation)
            for number, view in enumerate(self._views)
            if view.augmented
        }
        return EpochPlan(indices, draws, torch.from_numpy(self._labels[chosen["anchor"]]).to(self._device))

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of a zero-based epoch."""
        plan = self.plan(epoch)
        with closing(self._store.in_turn(self._requests(plan))) as images:
            for start, stop in self.bounds():
                yield Batch({view.name: next(images) for view in self._views}, plan.labels[start:stop])

    def _requests(self, plan: EpochPlan) -> Iterator[tuple[Mirrored, Draws | None]]:
        """Each batch's views, in their order."""
        for start, stop in self.bounds():
            for view in self._views:
                draws = plan.draws[view.name].batch(start, stop) if view.augmented else None
                yield plan.indices[view.name].batch(start, stop), draws

    def _generator(self, epoch: int, number: int) -> np.random.Generator:
        # Each view draws from a stream of its own, so that the same image as anchor and as partner is cropped twice.
        return np.random.Generator(
            np.random.Philox(np.random.SeedSequence([self._seed, epoch, AUGMENTATION_STREAM + number]))
        )
