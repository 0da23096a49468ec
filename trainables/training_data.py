"""The data of a run, split and resident on the device; loaded once per process and shared by its trials."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import torch

from trainables.augmentation import ImageStore
from trainables.interfaces import LabelledImages
from trainables.splits import split_training

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trainables.interfaces import Dataset


@dataclass(frozen=True)
class StoredSplit:
    """A split's images on the device and its labels, in the data set's order."""

    images: LabelledImages
    store: ImageStore


@dataclass(frozen=True)
class TrainingData:
    """What a run trains on and, unless it trains on everything, measures on.

    Attributes:
        classes: Names, in label order.
        split_digest: Of labels and validation indices; equal digests mean equal splits.
    """

    train: StoredSplit
    validation: StoredSplit | None
    classes: tuple[str, ...]
    split_digest: str


@lru_cache(maxsize=1)
def open_training_data(dataset: Dataset, train_on: Literal["train", "full"], device: torch.device) -> TrainingData:
    """Reads the training part, cuts out the validation split and puts both on the device.

    The last result is kept: trials of a study that follow each other in a process share it.

    Raises:
        DataError: The data is missing, damaged or unfit for class pairs.
    """
    images = dataset.training_images()
    split = split_training(images, dataset.validation)
    padding = dataset.augmentation.padding
    if train_on == "full":
        return TrainingData(_stored(dataset, images, padding, device), None, images.classes, split.digest)
    train = _stored(dataset, _take(images, split.train), padding, device)
    validation = _stored(dataset, _take(images, split.validation), 0, device)
    return TrainingData(train, validation, images.classes, split.digest)


def store_plain(dataset: Dataset, images: LabelledImages, device: torch.device) -> StoredSplit:
    """Puts images for the test transform on the device."""
    return _stored(dataset, images, 0, device)


def _take(images: LabelledImages, indices: NDArray[np.int64]) -> LabelledImages:
    return LabelledImages(images.images[indices], images.labels[indices], images.classes)


def _stored(dataset: Dataset, images: LabelledImages, padding: int, device: torch.device) -> StoredSplit:
    return StoredSplit(images, ImageStore(images.images, dataset.mean, dataset.std, padding, device))
