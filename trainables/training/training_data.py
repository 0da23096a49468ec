"""The data of a run, split and resident on the device; loaded once per process and shared by its trials."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import torch

from trainables.batches.augmentation import ImageStore
from trainables.batches.resized_crops import RaggedStore
from trainables.batches.splits import split_training
from trainables.batches.streamed_crops import StreamedStore
from trainables.interfaces import Augmentation, LabelledImages, ResizedCrop
from trainables.interfaces.ragged_images import RaggedImages

if TYPE_CHECKING:
    from trainables.batches.image_store import Store
    from trainables.interfaces import Dataset


@dataclass(frozen=True)
class StoredSplit:
    """A split's images on the device and its labels, in the data set's order."""

    images: LabelledImages
    store: Store


@dataclass(frozen=True)
class TrainingData:
    """What a run trains on and, unless it trains on everything, measures on.

    Attributes:
        classes: Names, in label order.
        split_digest: Of labels and validation indices; equal digests mean equal splits.
        groups: Group of each class, where the classes have a hierarchy.
    """

    train: StoredSplit
    validation: StoredSplit | None
    classes: tuple[str, ...]
    split_digest: str
    groups: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def open_training_data(dataset: Dataset, train_on: Literal["train", "full"], device: torch.device) -> TrainingData:
    """Reads the training part, cuts out the validation split and puts both on the device.

    The last result is kept: trials of a study that follow each other in a process share it.

    Raises:
        DataError: The data is missing, damaged or unfit for class pairs.
    """
    images = dataset.training_images()
    split = split_training(images, dataset.validation)
    if train_on == "full":
        return TrainingData(_stored(dataset, images, device), None, images.classes, split.digest, images.groups)
    train = _stored(dataset, images.take(split.train), device)
    validation = store_plain(dataset, images.take(split.validation), device)
    return TrainingData(train, validation, images.classes, split.digest, images.groups)


def store_plain(dataset: Dataset, images: LabelledImages, device: torch.device) -> StoredSplit:
    """Puts images for the test transform on the device."""
    return _stored(dataset, images, device, plain=True)


def _stored(dataset: Dataset, images: LabelledImages, device: torch.device, *, plain: bool = False) -> StoredSplit:
    augmentation, pixels = dataset.augmentation, images.images
    if isinstance(augmentation, ResizedCrop) and isinstance(pixels, RaggedImages):
        store = StreamedStore if pixels.is_streamed else RaggedStore
        return StoredSplit(images, store(pixels, augmentation, dataset.mean, dataset.std, device))
    if isinstance(augmentation, Augmentation) and not isinstance(pixels, RaggedImages):
        padding = 0 if plain else augmentation.padding
        return StoredSplit(images, ImageStore(pixels, dataset.mean, dataset.std, padding, device))
    raise TypeError(f"{dataset.part_name()} has {type(pixels).__name__} but augments by {type(augmentation).__name__}")
