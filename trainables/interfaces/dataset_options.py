"""Options of data sets: how their images are augmented, what of them is taken, and what they must hold."""

from __future__ import annotations

from pydantic import Field, model_validator

from trainables.interfaces.part import Options


class Augmentation(Options):
    """Training transform for images of fixed size: zero padding, random crop to the old size, horizontal flip.

    Attributes:
        padding: Pixels added on each side before the crop, black (zero before normalisation).
        flip: Probability of a horizontal flip.
    """

    padding: int = Field(default=0, ge=0)
    flip: float = Field(default=0.0, ge=0, le=1)


class ResizedCrop(Options):
    """Training transform for images of different sizes: a random box, resized to a square, horizontal flip.

    The test transform resizes the shorter side to ``resize`` and cuts out the middle square.

    Attributes:
        size: Height and width of the result in pixels.
        resize: Shorter side before the cut of the test transform.
        area: Range of the box's share of the image's area, uniform.
        aspect: Range of its width over its height, uniform in the logarithm.
        flip: Probability of a horizontal flip.
    """

    size: int = Field(ge=1)
    resize: int = Field(ge=1)
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = Field(default=0.5, ge=0, le=1)


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


class Counts(Options):
    """How much a data set holds."""

    classes: int = Field(ge=2)
    train: int = Field(ge=2)
    test: int = Field(ge=1)

    def __str__(self) -> str:
        return f"{self.classes} classes, {self.train:,} training and {self.test:,} test images"
