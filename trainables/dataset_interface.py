"""What a data set is, and the guard of its test part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from trainables.errors import TestSetClosedError
from trainables.parts import Options, Part


class TestAccess(Protocol):  # no pytest class: it has no test methods
    """Permission to read test data; recording it in the ledger comes before the data."""

    def record(self, dataset: str, images: int) -> None:
        """Writes the reading into the ledger, durably."""


@dataclass(frozen=True)
class LabelledImages:
    """Images as uint8 ``[n, height, width, 3]``, labels as int64 ``[n]`` in ``[0, len(classes))``."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


class Augmentation(Options):
    """Training transform for images of fixed size: zero padding, random crop to the old size, horizontal flip.

    Attributes:
        padding: Pixels added on each side before the crop, black (zero before normalisation).
        flip: Probability of a horizontal flip.
    """

    padding: int = Field(default=0, ge=0)
    flip: float = Field(default=0.0, ge=0, le=1)


class ValidationSplit(Options):
    """Which part of the training data decides; stratified by class, fixed by its seed.

    Exactly one of ``per_class`` (images) and ``fraction`` is set.
    """

    per_class: int | None = Field(default=None, ge=1)
    fraction: float | None = Field(default=None, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_of_two(self) -> ValidationSplit:
        if (self.per_class is None) == (self.fraction is None):
            raise ValueError("give either per_class (images of each class) or fraction, not both")
        return self


class Subset(Options):
    """A class-balanced part of a data set, for smoke studies.

    Attributes:
        classes: The first that many classes.
        train_per_class: The first that many training images of each class, in the published order.
    """

    classes: int | None = Field(default=None, ge=2)
    train_per_class: int | None = Field(default=None, ge=2)


class Dataset(Part, ABC):
    """A data set with its published train and test parts, normalisation and augmentation.

    Attributes:
        root: Folder of the data; None means the folder of ``CSKD_DATA``, or the user's data folder.
        validation: How the validation split is cut out of the training part.
        subset: A smaller part of the data; None for all.
    """

    mean: ClassVar[tuple[float, float, float]]
    std: ClassVar[tuple[float, float, float]]
    augmentation: ClassVar[Augmentation]

    root: Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] | None = None
    validation: ValidationSplit = ValidationSplit(fraction=0.1)
    subset: Subset = Subset()

    @abstractmethod
    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        """Reads a published part from disk: what a data set implements.

        Nobody calls it but ``training_images`` and ``test_images``, which guard the test part.

        Raises:
            DataError: Files are missing or damaged; the message names the file and the cure.
        """

    def training_images(self) -> LabelledImages:
        """The training part, reduced to ``subset``."""
        images = self._classes_only(self._read("train"))
        if self.subset.train_per_class is None:
            return images
        keep = np.sort(
            np.concatenate(
                [
                    np.flatnonzero(images.labels == label)[: self.subset.train_per_class]
                    for label in range(len(images.classes))
                ]
            )
        )
        return LabelledImages(images.images[keep], images.labels[keep], images.classes)

    def test_images(self, access: TestAccess) -> LabelledImages:
        """The test part, after the reading has been written into the ledger.

        Raises:
            TestSetClosedError: ``access`` cannot record the reading.
        """
        if not callable(getattr(access, "record", None)):
            raise TestSetClosedError("test data opens only with an access that records the reading (study/confirm.py)")
        images = self._classes_only(self._read("test"))
        access.record(self.part_name(), len(images.labels))
        return images

    def _classes_only(self, images: LabelledImages) -> LabelledImages:
        count = self.subset.classes
        if count is None or count >= len(images.classes):
            return images
        keep = images.labels < count
        return LabelledImages(images.images[keep], images.labels[keep], images.classes[:count])
