"""Hierarchical metrics for classes that belong to groups (paper, section 3.3, figure 4)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.probabilities import Floats


@dataclass(frozen=True)
class Hierarchy:
    """Confusion between groups, and errors in each group; all values are fractions in [0, 1].

    Attributes:
        groups: Names of the groups, in the order of their first classes.
        confusion: Fraction of the samples of each true group (row) that is predicted in each group (column),
            ``[groups, groups]``. The predicted group is that of the predicted class. Rows without samples are NaN.
        top1_error: Top-1 error over all classes for the samples of each group ``[groups]``.
        accuracy: Fraction of all samples whose group is predicted correctly.
    """

    groups: tuple[str, ...]
    confusion: NDArray[np.float64]
    top1_error: NDArray[np.float64]
    accuracy: float

    @property
    def group_accuracy(self) -> NDArray[np.float64]:
        """Fraction of the samples of each group whose group is predicted correctly ``[groups]``."""
        return np.diagonal(self.confusion)


def hierarchy(logits: Floats, labels: NDArray[np.int64], groups: tuple[str, ...]) -> Hierarchy:
    """Hierarchical metrics of logits.

    Args:
        logits: Logits ``[n, classes]``, n >= 1. The first of equal logits is the prediction.
        labels: Labels ``[n]`` in ``[0, classes)``.
        groups: Name of the group of each class ``[classes]``.

    Example:
        >>> found = hierarchy(np.eye(3), np.array([1, 1, 2]), ("bird", "bird", "dog"))
        >>> found.accuracy, found.top1_error.tolist()
        (1.0, [0.5, 0.0])
    """
    return hierarchy_of_predictions(logits.argmax(axis=1), labels, groups)


def hierarchy_of_predictions(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], groups: tuple[str, ...]
) -> Hierarchy:
    """Hierarchical metrics of predicted classes.

    Args:
        predicted: Predicted classes ``[n]``, n >= 1.
        labels: Labels ``[n]`` in ``[0, classes)``.
        groups: Name of the group of each class ``[classes]``.
    """
    names = tuple(dict.fromkeys(groups))
    number = np.array([names.index(group) for group in groups])
    true, guessed = number[labels], number[predicted]
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (true, guessed), 1)
    wrong = np.bincount(true, weights=predicted != labels, minlength=len(names))
    total = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return Hierarchy(names, counts / total[:, None], wrong / total, float(np.mean(true == guessed)))
