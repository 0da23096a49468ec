"""Classification metrics in float64 NumPy, shared by training and analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.ece import calibration_bins, calibration_error
from trainables.metrics.probabilities import Floats, log_softmax

BLOCK = 256

Candidates = tuple[int, NDArray[np.int64]]
"""Number of a query, and the indices of the points that may be nearest to it, ascending."""


@dataclass(frozen=True)
class Metric:
    """Name, direction and unit of a metric.

    Attributes:
        name: Name of the quantity, as in ``<split>/<quantity>``.
        goal: Direction of improvement.
        unit: Unit of the values: ``fraction`` in [0, 1], or ``nats``.
    """

    name: str
    goal: Literal["minimize", "maximize"]
    unit: Literal["fraction", "nats"]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("top1_error", "minimize", "fraction"),
        Metric("top5_error", "minimize", "fraction"),
        Metric("ece", "minimize", "fraction"),
        Metric("nll", "minimize", "nats"),
        Metric("recall_at_1", "maximize", "fraction"),
    )
}


def evaluate(logits: Floats, labels: NDArray[np.int64]) -> dict[str, float]:
    """Metrics of ``METRICS`` that need only logits and labels: all but ``recall_at_1``.

    Args:
        logits: Logits ``[n, classes]``, n >= 1.
        labels: Labels ``[n]`` in ``[0, classes)``.

    Returns:
        ``top1_error``, ``top5_error`` and ``ece`` as fractions in [0, 1], ``nll`` in nats.

    Example:
        >>> evaluate(np.zeros((2, 2)), np.array([0, 1]))["top1_error"]
        0.5
    """
    log_p = log_softmax(logits)  # the most expensive part, so it is computed once
    return {
        "top1_error": top_k_error(logits, labels, 1),
        "top5_error": top_k_error(logits, labels, 5),
        "ece": calibration_error(calibration_bins(np.exp(log_p), labels)),
        "nll": mean_loss(log_p, labels),
    }


def top_k_error(logits: Floats, labels: NDArray[np.int64], k: int) -> float:
    """Fraction of samples whose label is not among the k largest logits (paper, section 3.1).

    Args:
        logits: Logits ``[n, classes]``, n >= 1. Equal logits are ranked by class index.
        labels: Labels ``[n]`` in ``[0, classes)``.
        k: Number of classes that count as predicted, at least 1.

    Returns:
        Fraction in [0, 1]; 0 if there are at most k classes. A NaN logit of the label counts as an error.

    Example:
        >>> top_k_error(np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), np.array([1, 2]), k=2)
        0.5
    """
    classes = logits.shape[1]
    of_label = np.take_along_axis(logits, labels[:, None], axis=1)
    not_ahead = (logits < of_label) | ((logits == of_label) & (np.arange(classes) >= labels[:, None]))
    ahead = classes - not_ahead.sum(axis=1)
    return float(np.mean(ahead >= k))


def negative_log_likelihood(logits: Floats, labels: NDArray[np.int64]) -> float:
    r"""Mean negative log likelihood of the labels, :math:`-\frac1n \sum_i \log \sigma(z_i)_{y_i}`.

    Args:
        logits: Logits :math:`z` ``[n, classes]``, n >= 1.
        labels: Labels :math:`y` ``[n]`` in ``[0, classes)``.

    Returns:
        Mean in nats, at least 0; NaN if a logit is NaN or plus infinity.

    Example:
        >>> round(negative_log_likelihood(np.zeros((2, 4)), np.array([0, 3])), 4)
        1.3863
    """
    return mean_loss(log_softmax(logits), labels)


def mean_loss(log_p: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean negative log likelihood of the labels ``[n]``, in nats, from log-probabilities ``[n, classes]``."""
    return float(-np.take_along_axis(log_p, labels[:, None], axis=1).mean())


def recall_at_1(features: Floats, labels: NDArray[np.int64], search: NeighbourSearch | None = None) -> float:
    """Recall at 1: fraction of samples whose nearest other sample has the same label (paper, section 3.1).

    Args:
        features: Pooled penultimate features ``[n, width]``, n >= 2, finite, not normalised.
        labels: Labels ``[n]``. The only sample of a class never counts as a hit.
        search: Search for the nearest neighbours; ``search_blocks`` by default. It does not affect the result.

    Returns:
        Fraction in [0, 1].

    Example:
        >>> recall_at_1(np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1]))  # the third is nearest to the second
        0.6666666666666666
    """
    return float(np.mean(labels[nearest_neighbours(features, search)] == labels))


def nearest_neighbours(features: Floats, search: NeighbourSearch | None = None) -> NDArray[np.int64]:
    """Index of the nearest other sample of each sample, by Euclidean distance; ties go to the lowest index.

    Squared distances are computed by matrix products. If the rounding error leaves several candidates, their distances
    are computed from differences. Identical samples are found by their bytes, so that the equal features of a collapsed
    network do not make the search slow.

    Args:
        features: Features ``[n, width]``, n >= 2, finite.
        search: Search for candidates; ``search_blocks`` by default. It does not affect the result.

    Returns:
        Indices ``[n]``.

    Example:
        >>> nearest_neighbours(np.array([[0.0], [1.0], [5.0]]))
        array([1, 0, 1])
    """
    copies: dict[bytes, list[int]] = {}
    for index, row in enumerate(features + 0.0):  # turns -0.0 into 0.0, which is equal but has other bytes
        copies.setdefault(row.tobytes(), []).append(index)
    nearest = np.empty(len(features), np.int64)
    for same in copies.values():
        nearest[same] = same[0]
        nearest[same[0]] = same[-1] if len(same) == 1 else same[1]
    gallery = np.array([same[0] for same in copies.values()], np.int64)
    queries = np.flatnonzero([len(same) == 1 for same in copies.values()])
    points = features[gallery].astype(np.float64)
    found, close = (search or search_blocks)(points, queries)
    for number, candidates in close:
        differences = points[candidates] - points[queries[number]]
        found[number] = candidates[(differences**2).sum(axis=1).argmin()]
    nearest[gallery[queries]] = gallery[found]
    return nearest


class NeighbourSearch(Protocol):
    """Protocol for a search for the points that may be nearest."""

    def __call__(
        self, points: NDArray[np.float64], queries: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], list[Candidates]]:
        r"""Finds the nearest other points by squared distances :math:`d` with a rounding error of at most :math:`s`.

        A point may be nearest if its :math:`d - s` does not exceed the smallest :math:`d + s`, where :math:`s` is
        ``slack(width)`` times the sum of the two squared norms.

        Args:
            points: Points, float64 ``[m, width]``, all different.
            queries: Indices ``[q]`` of the points whose nearest other point is searched.

        Returns:
            Index of the nearest point for each query ``[q]``, and the candidates of each query with more than one.
        """


def search_blocks(
    points: NDArray[np.float64], queries: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[Candidates]]:
    """Search on a CPU, in blocks whose distances fit into its cache; see ``NeighbourSearch``."""
    centred = points - points.mean(axis=0)  # shorter vectors lose less precision to cancellation
    squares = np.einsum("ij,ij->i", centred, centred)
    slacks = squares * slack(points.shape[1])
    nearest, close = np.empty_like(queries), list[Candidates]()
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        rows = np.arange(len(block))
        highest = (-2 * centred[block]) @ centred.T
        highest += squares + slacks  # a query's own square and slack are the same for all points
        highest[rows, block] = np.inf
        best = highest.argmin(axis=1)
        limit = highest[rows, best] + 2 * slacks[block]
        candidates = highest - 2 * slacks <= limit[:, None]
        nearest[start : start + BLOCK] = best
        undecided = np.flatnonzero(np.count_nonzero(candidates, axis=1) > 1)
        close += [(int(start + row), np.flatnonzero(candidates[row])) for row in undecided]
    return nearest, close


def slack(width: int) -> float:
    """Bound on the rounding error of a squared distance by a float64 product, relative to the sum of squared norms."""
    return 4 * (width + 4) * float(np.finfo(np.float64).eps)
