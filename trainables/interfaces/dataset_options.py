"""Options of data sets: augmentation, validation split, subset and expected counts."""

from __future__ import annotations

from pydantic import Field, model_validator

from trainables.interfaces.part import Options


class Augmentation(Options):
    """Training transform for images of fixed size: zero padding, random crop to the old size, horizontal flip.

    Attributes:
        padding: Number of black pixels (zero before normalisation) added on each side before the crop.
        flip: Probability of a horizontal flip.
    """

    padding: int = Field(default=0, ge=0)
    flip: float = Field(default=0.0, ge=0, le=1)


class ResizedCrop(Options):
    """Training transform for images of different sizes: random crop resized to a square, horizontal flip.

    The test transform resizes the shorter side to ``resize`` and crops the central square.

    Attributes:
        size: Height and width of the result in pixels.
        resize: Length of the shorter side in pixels before the central crop of the test transform.
        area: Range of the crop's fraction of the image area, in (0, 1], drawn uniformly.
        aspect: Range of the crop's width divided by its height, drawn uniformly on a logarithmic scale.
        flip: Probability of a horizontal flip.
    """

    size: int = Field(ge=1)
    resize: int = Field(ge=1)
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = Field(default=0.5, ge=0, le=1)


class ValidationSplit(Options):
    """Validation split, held out from the training data by class; exactly one of per_class and fraction is set.

    Attributes:
        per_class: Number of validation images per class.
        fraction: Fraction of the training images of each class, rounded, but at least one image per class.
        seed: Seed of the selection.
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
    """Smaller part of a data set, for quick studies.

    Attributes:
        classes: Number of classes to use, the first ones in label order; None for all.
        train_per_class: Number of training images per class to use, the first ones in the published order; None for
            all.
    """

    classes: int | None = Field(default=None, ge=2)
    train_per_class: int | None = Field(default=None, ge=2)


class Counts(Options):
    """Size of a data set.

    Attributes:
        classes: Number of classes.
        train: Number of training images.
        test: Number of test images.
    """

    classes: int = Field(ge=2)
    train: int = Field(ge=2)
    test: int = Field(ge=1)

    def __str__(self) -> str:
        return f"{self.classes} classes, {self.train:,} training and {self.test:,} test images"
