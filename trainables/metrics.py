"""Quality of predictions, in float64 NumPy only, so that training and analysis share one definition of each metric."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
BINS = 20
BLOCK = 1024


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


@dataclass(frozen=True)
class CalibrationBins:
    """Predictions grouped by confidence; bin m of M holds confidences in ``(m/M, (m+1)/M]``.

    Attributes:
        count: Predictions in each bin ``[bins]``.
        accuracy: Their fraction of hits ``[bins]``; NaN in an empty bin.
        confidence: Their mean confidence ``[bins]``; NaN in an empty bin.
    """

    count: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    confidence: NDArray[np.float64]


def evaluate(logits: Floats, labels: NDArray[np.int64]) -> dict[str, float]:
    """All metrics that need only logits ``[n, classes]`` and labels ``[n]``; keys are those of ``METRICS``.

    Example:
        >>> evaluate(np.zeros((2, 2)), np.array([0, 1]))["top1_error"]
        0.5
    """
    return {
        "top1_error": top_k_error(logits, labels, 1),
        "top5_error": top_k_error(logits, labels, 5),
        "ece": expected_calibration_error(logits, labels),
        "nll": negative_log_likelihood(logits, labels),
    }


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    """Logarithm of the class probabilities ``[n, classes]``; NaN where the logits are not finite."""
    values = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # logits of a diverged network; the caller looks at the result
        values -= values.max(axis=1, keepdims=True)
        values -= np.log(np.exp(values).sum(axis=1, keepdims=True))
    return values


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
    return float(-np.take_along_axis(log_softmax(logits), labels[:, None], axis=1).mean())


def calibration_bins(probabilities: Floats, labels: NDArray[np.int64], bins: int = BINS) -> CalibrationBins:
    """Groups predictions by confidence, the largest probability; the first of equal ones is the prediction.

    Example:
        >>> calibration_bins(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 0]), bins=2).count
        array([1, 1])
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    hit = probabilities.argmax(axis=1) == labels
    index = np.searchsorted(np.arange(1, bins) / bins, confidence, side="left")
    count = np.bincount(index, minlength=bins)
    sums = (np.bincount(index, weights=values, minlength=bins) for values in (hit, confidence))
    accuracy, mean_confidence = (np.divide(s, count, out=np.full(bins, np.nan), where=count > 0) for s in sums)
    return CalibrationBins(count, accuracy, mean_confidence)


def calibration_error(bins: CalibrationBins) -> float:
    r"""Expected calibration error :math:`\sum_m \frac{|B_m|}{n} |acc(B_m) - conf(B_m)|` (Guo et al. 2017, equation 3).

    Returns:
        Fraction in [0, 1].
    """
    filled = bins.count > 0
    gap = np.abs(bins.accuracy - bins.confidence)[filled]
    return float(gap @ bins.count[filled] / bins.count.sum())


def expected_calibration_error(logits: Floats, labels: NDArray[np.int64], bins: int = BINS) -> float:
    """Expected calibration error at temperature 1 over equal-width, right-closed bins (paper, section 3.1: 20).

    Returns:
        Fraction in [0, 1].

    Example:
        >>> expected_calibration_error(np.zeros((4, 2)), np.array([0, 0, 0, 1]))
        0.25
    """
    return calibration_error(calibration_bins(np.exp(log_softmax(logits)), labels, bins))


def recall_at_1(features: Floats, labels: NDArray[np.int64]) -> float:
    """Fraction of samples whose nearest other sample has the same label (paper, section 3.1).

    Args:
        features: Pooled penultimate features ``[n, width]``, not normalised.
        labels: ``[n]``. The only sample of a class never hits.

    Returns:
        Fraction in [0, 1].

    Example:
        >>> recall_at_1(np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1]))  # the third is nearest to the second
        0.6666666666666666
    """
    return float(np.mean(labels[nearest_neighbours(features)] == labels))


def nearest_neighbours(features: Floats) -> NDArray[np.int64]:
    """Index of each sample's nearest other sample by Euclidean distance; the lowest of equally near ones.

    Distances come from one matrix product. Where its rounding error leaves a choice, differences decide. Copies of a
    sample are found by their bytes, so that the equal features of a collapsed network cost no more than others.

    Args:
        features: ``[n, width]`` with n >= 2, finite.

    Example:
        >>> nearest_neighbours(np.array([[0.0], [1.0], [5.0]]))
        array([1, 0, 1])
    """
    values = features.astype(np.float64) + 0.0  # turns -0.0, which differs by its bytes alone, into 0.0
    copies: dict[bytes, list[int]] = {}
    for index, row in enumerate(values):
        copies.setdefault(row.tobytes(), []).append(index)
    nearest = np.empty(len(values), np.int64)
    for same in copies.values():
        nearest[same] = same[0]
        nearest[same[0]] = same[-1] if len(same) == 1 else same[1]
    gallery = np.array([same[0] for same in copies.values()], np.int64)
    single = np.array([same[0] for same in copies.values() if len(same) == 1], np.int64)
    nearest[single] = _nearest_of_distinct(values, gallery, single)
    return nearest


def _nearest_of_distinct(
    values: NDArray[np.float64], gallery: NDArray[np.int64], queries: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each query the nearest gallery sample but itself; both are indices into ``values``, the gallery ascending."""
    centred = values - values.mean(axis=0)  # the shorter the vectors, the less their product cancels
    squares = (centred**2).sum(axis=1)
    nearest = np.empty_like(queries)
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        sums = squares[block, None] + squares[gallery]
        distances = sums - 2 * (centred[block] @ centred[gallery].T)
        distances[block[:, None] == gallery] = np.inf
        slack = sums * (4 * (values.shape[1] + 4) * np.finfo(np.float64).eps)
        candidates = distances - slack <= (distances + slack).min(axis=1, keepdims=True)
        nearest[start : start + BLOCK] = gallery[candidates.argmax(axis=1)]
        for row in np.flatnonzero(candidates.sum(axis=1) > 1):
            close = gallery[candidates[row]]
            nearest[start + row] = close[((values[close] - values[block[row]]) ** 2).sum(axis=1).argmin()]
    return nearest
