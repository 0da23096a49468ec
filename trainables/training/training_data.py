"""Training and validation data on the device; loaded once per process and shared by its runs."""

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
    from trainables.batches.image_store import AugmentingStore
    from trainables.interfaces import Dataset


@dataclass(frozen=True)
class StoredSplit:
    """Images of a split on the device, and their labels, in the data set's order.

    Attributes:
        images: Images and labels on the host.
        store: The same images on the device, with their transforms.
    """

    images: LabelledImages
    store: AugmentingStore


@dataclass(frozen=True)
class TrainingData:
    """Training data of a run, and validation data unless it trains on everything.

    Attributes:
        train: Training split.
        validation: Validation split; None if the run trains on all training images.
        classes: Class names, in label order.
        split_digest: Digest of labels and validation indices; equal digests mean equal splits.
        groups: Group of each class if the classes have a hierarchy, else empty.
    """

    train: StoredSplit
    validation: StoredSplit | None
    classes: tuple[str, ...]
    split_digest: str
    groups: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def open_training_data(dataset: Dataset, train_on: Literal["train", "full"], device: torch.device) -> TrainingData:
    """Reads the training part, holds out the validation split and moves both to the device.

    The last result is cached, because consecutive runs in a process usually use the same data.

    Args:
        dataset: Data set and its options.
        train_on: ``train`` holds out the validation split; ``full`` trains on all training images.
        device: Device of the run.

    Raises:
        DataError: The data is missing, damaged or unsuitable for class pairs.
    """
    images = dataset.training_images()
    split = split_training(images, dataset.validation)
    if train_on == "full":
        return TrainingData(_stored(dataset, images, device), None, images.classes, split.digest, images.groups)
    train = _stored(dataset, images.take(split.train), device)
    validation = store_plain(dataset, images.take(split.validation), device)
    return TrainingData(train, validation, images.classes, split.digest, images.groups)


def store_plain(dataset: Dataset, images: LabelledImages, device: torch.device) -> StoredSplit:
    """Moves images to the device, for the test transform only."""
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
