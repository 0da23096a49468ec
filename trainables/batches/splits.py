"""Stratified splits that depend only on labels and seed."""

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.errors import DataError
from trainables.files.durable import sha256_of
from trainables.interfaces import LabelledImages, ValidationSplit
from trainables.interfaces.ragged_images import RaggedImages


@dataclass(frozen=True)
class Split:
    """Training part divided into training and validation split.

    Attributes:
        train: Indices of the training split, ascending.
        validation: Indices of the validation split, ascending.
        digest: Digest of labels, seed and validation indices, 16 hexadecimal digits; equal digests mean equal splits.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    digest: str


def split_training(images: LabelledImages, validation: ValidationSplit) -> Split:
    """Holds out the validation split from a training part, class by class.

    Args:
        images: Images and labels of the training part.
        validation: Size of the split per class, and seed. A fraction is rounded per class, to at least one image.

    Raises:
        DataError: A label is out of range, or a class keeps fewer than two training images, which class pairs need.
    """
    sizes = class_sizes(images.labels, len(images.classes))
    if validation.per_class is None:
        counts = fraction_of(sizes, validation.fraction or 0.0)
    else:
        counts = np.full_like(sizes, validation.per_class)
    for name, size, count in zip(images.classes, sizes, counts, strict=True):
        if size - count < 2:
            raise DataError(
                f"class {name!r} has {size} training images: with {count} for validation fewer than two are left, "
                "and class pairs need two; add images or make the validation split smaller"
            )
    chosen = draw_per_class(images.labels, counts, validation.seed)
    rest = np.setdiff1d(np.arange(len(images.labels)), chosen)
    return Split(rest, chosen, _digest(images.labels, chosen, validation.seed))


def class_sizes(labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Number of images of each class ``[classes]``.

    Args:
        labels: Labels ``[n]``.
        classes: Number of classes.

    Raises:
        DataError: A label is not in ``[0, classes)``.

    Example:
        >>> class_sizes(np.array([0, 2, 0]), 3)
        array([2, 0, 1])
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise DataError(
            f"image {wrong[0]} has the label {labels[wrong[0]]}, which is not in 0..{classes - 1}; correct the data set"
        )
    return np.bincount(labels, minlength=classes)


def fraction_of(sizes: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """Fraction of each size, rounded, at least 1.

    Args:
        sizes: Number of images of each class ``[classes]``.
        fraction: Fraction in [0, 1).

    Example:
        >>> fraction_of(np.array([3, 10, 29]), 0.1)
        array([1, 1, 3])
    """
    rounded: NDArray[np.int64] = np.maximum(1, np.rint(sizes * fraction)).astype(np.int64)
    return rounded


def draw_per_class(labels: NDArray[np.int64], counts: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Draws ``counts[c]`` images of each class c without replacement; the same on all platforms and NumPy versions.

    Args:
        labels: Labels ``[n]`` in ``[0, classes)``.
        counts: Number of images to draw per class ``[classes]``.
        seed: Seed of the draws.

    Returns:
        Indices of the images, ascending.
    """
    keys = np.random.PCG64(seed).random_raw(len(labels))
    shuffled = np.lexsort((keys, labels))  # class by class, in random order within each
    sizes = np.bincount(labels, minlength=len(counts))
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(shuffled[rank < np.repeat(counts, sizes)])


def data_digest(images: LabelledImages) -> str:
    """Digest of pixels, labels and class names, 16 hexadecimal digits; equal digests mean equal data."""
    labels = images.labels.astype("<i8").tobytes()
    if isinstance(images.images, RaggedImages):  # their buffers were hashed when the data was prepared
        names = json.dumps([images.images.digest(), images.classes, images.groups]).encode()
        return sha256_of(names + labels)[:16]
    names = json.dumps([list(images.images.shape), images.classes]).encode()
    return sha256_of(names + labels + images.images.tobytes())[:16]


def _digest(labels: NDArray[np.int64], validation: NDArray[np.int64], seed: int) -> str:
    content = b"".join(array.astype("<i8").tobytes() for array in (np.array([len(labels)]), labels, validation))
    return sha256_of(content + str(seed).encode())[:16]
