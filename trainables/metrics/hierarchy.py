"""Predictions of classes that belong to groups: which groups are taken for which (paper, section 3.3, figure 4)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.probabilities import Floats


@dataclass(frozen=True)
class Hierarchy:
    """How well groups and the classes in them are told apart.

    Attributes:
        groups: Names, in the order of their first classes.
        confusion: Fraction of each true group's samples (row) that is predicted in each group ``[groups, groups]``; the
            predicted group is that of the predicted class. NaN in the row of a group without samples.
        top1_error: Fraction of each group's samples whose class, among all classes, is not predicted ``[groups]``.
        accuracy: Fraction of all samples whose group is right.
    """

    groups: tuple[str, ...]
    confusion: NDArray[np.float64]
    top1_error: NDArray[np.float64]
    accuracy: float

    @property
    def group_accuracy(self) -> NDArray[np.float64]:
        """Fraction of each group's samples whose group is right ``[groups]``."""
        return np.diagonal(self.confusion)


def hierarchy(logits: Floats, labels: NDArray[np.int64], groups: tuple[str, ...]) -> Hierarchy:
    """Measures predictions by group.

    Args:
        logits: ``[n, classes]``; the first of equal ones is the prediction.
        labels: ``[n]``.
        groups: Group of each class ``[classes]``.

    Example:
        >>> found = hierarchy(np.eye(3), np.array([1, 1, 2]), ("bird", "bird", "dog"))
        >>> found.accuracy, found.top1_error.tolist()
        (1.0, [0.5, 0.0])
    """
    return hierarchy_of_predictions(logits.argmax(axis=1), labels, groups)


def hierarchy_of_predictions(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], groups: tuple[str, ...]
) -> Hierarchy:
    """As ``hierarchy``, of predicted classes ``[n]``."""
    names = tuple(dict.fromkeys(groups))
    number = np.array([names.index(group) for group in groups])
    true, guessed = number[labels], number[predicted]
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (true, guessed), 1)
    wrong = np.bincount(true, weights=predicted != labels, minlength=len(names))
    total = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return Hierarchy(names, counts / total[:, None], wrong / total, float(np.mean(true == guessed)))
