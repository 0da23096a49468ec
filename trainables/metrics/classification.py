"""Quality of predictions, in float64 NumPy only, so that training and analysis share one definition of each metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.ece import calibration_bins, calibration_error
from trainables.metrics.probabilities import Floats, log_softmax

BLOCK = 256

Candidates = tuple[int, NDArray[np.int64]]
"""Number of a query, and the points that may be nearest to it, rising."""


@dataclass(frozen=True)
class Metric:
    """What a metric is called, which way is better, and in which unit it is.

    Attributes:
        name: Quantity of ``<split>/<quantity>``.
        goal: Direction of improvement.
        unit: ``fraction`` in [0, 1], or ``nats``.
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
    """All metrics that need only logits ``[n, classes]`` and labels ``[n]``; keys are those of ``METRICS``.

    Example:
        >>> evaluate(np.zeros((2, 2)), np.array([0, 1]))["top1_error"]
        0.5
    """
    log_p = log_softmax(logits)  # the dearest part, so it is done once
    return {
        "top1_error": top_k_error(logits, labels, 1),
        "top5_error": top_k_error(logits, labels, 5),
        "ece": calibration_error(calibration_bins(np.exp(log_p), labels)),
        "nll": mean_loss(log_p, labels),
    }


def top_k_error(logits: Floats, labels: NDArray[np.int64], k: int) -> float:
    """Fraction of samples whose label is not among the k largest logits; equal logits rank by class index.

    Returns:
        Fraction in [0, 1]; 0 where there are fewer than k classes. A NaN at the label counts as an error.

    Example:
        >>> top_k_error(np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), np.array([1, 2]), k=2)
        0.5
    """
    classes = logits.shape[1]
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    not_ahead = (logits < own) | ((logits == own) & (np.arange(classes) >= labels[:, None]))
    ahead = classes - not_ahead.sum(axis=1)
    return float(np.mean(ahead >= k))


def negative_log_likelihood(logits: Floats, labels: NDArray[np.int64]) -> float:
    """Mean of ``-log p`` of the labels, in nats.

    Example:
        >>> round(negative_log_likelihood(np.zeros((2, 4)), np.array([0, 3])), 4)
        1.3863
    """
    return mean_loss(log_softmax(logits), labels)


def mean_loss(log_p: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean of ``-log p`` of the labels, in nats, of log-probabilities ``[n, classes]``."""
    return float(-np.take_along_axis(log_p, labels[:, None], axis=1).mean())


def recall_at_1(features: Floats, labels: NDArray[np.int64], search: Search | None = None) -> float:
    """Fraction of samples whose nearest other sample has the same label (paper, section 3.1).

    Args:
        features: Pooled penultimate features ``[n, width]``, not normalised.
        labels: ``[n]``. The only sample of a class never hits.
        search: As for ``nearest_neighbours``.

    Returns:
        Fraction in [0, 1].

    Example:
        >>> recall_at_1(np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1]))  # the third is nearest to the second
        0.6666666666666666
    """
    return float(np.mean(labels[nearest_neighbours(features, search)] == labels))


def nearest_neighbours(features: Floats, search: Search | None = None) -> NDArray[np.int64]:
    """Index of each sample's nearest other sample by Euclidean distance; the lowest of equally near ones.

    Distances come from matrix products. Where their rounding error leaves a choice, differences decide. Copies of a
    sample are found by their bytes, so that the equal features of a collapsed network cost no more than others.

    Args:
        features: ``[n, width]`` with n >= 2, finite.
        search: Finds what may be nearest; by default ``search_blocks``. It has no influence on the result.

    Example:
        >>> nearest_neighbours(np.array([[0.0], [1.0], [5.0]]))
        array([1, 0, 1])
    """
    copies: dict[bytes, list[int]] = {}
    for index, row in enumerate(features + 0.0):  # turns -0.0, which differs by its bytes alone, into 0.0
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


class Search(Protocol):
    """A way to find which points may be nearest."""

    def __call__(
        self, points: NDArray[np.float64], queries: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], list[Candidates]]:
        r"""Compares squared distances :math:`d` whose rounding error is at most :math:`s`.

        A point may be nearest if its :math:`d - s` is not above the smallest :math:`d + s`, where :math:`s` is
        ``slack(width)`` times the sum of the two squared lengths.

        Args:
            points: Float64 ``[m, width]``, all different.
            queries: Indices ``[q]`` of the points that look for another one.

        Returns:
            The point nearest to each query ``[q]`` as far as it is certain, and the queries for which it is not.
        """


def search_blocks(
    points: NDArray[np.float64], queries: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[Candidates]]:
    """The search on a CPU, in blocks whose distances stay in its cache."""
    centred = points - points.mean(axis=0)  # the shorter the vectors, the less their product cancels
    squares = np.einsum("ij,ij->i", centred, centred)
    slacks = squares * slack(points.shape[1])
    nearest, close = np.empty_like(queries), list[Candidates]()
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        rows = np.arange(len(block))
        highest = (-2 * centred[block]) @ centred.T
        highest += squares + slacks  # a query's own square and slack are the same for all points: they come last
        highest[rows, block] = np.inf
        best = highest.argmin(axis=1)
        limit = highest[rows, best] + 2 * slacks[block]
        candidates = highest - 2 * slacks <= limit[:, None]
        nearest[start : start + BLOCK] = best
        undecided = np.flatnonzero(np.count_nonzero(candidates, axis=1) > 1)
        close += [(int(start + row), np.flatnonzero(candidates[row])) for row in undecided]
    return nearest, close


def slack(width: int) -> float:
    """Bound of the error of a squared distance from a float64 product, relative to the sum of the squared lengths."""
    return 4 * (width + 4) * float(np.finfo(np.float64).eps)
