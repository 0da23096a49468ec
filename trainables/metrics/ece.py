"""Expected calibration error (ECE) with bins of equal width, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.probabilities import Floats, log_softmax

BINS = 20


@dataclass(frozen=True)
class CalibrationBins:
    """Predictions grouped by confidence; bin m of M holds confidences in ``(m/M, (m+1)/M]``.

    Attributes:
        count: Number of predictions in each bin ``[bins]``.
        accuracy: Fraction of correct predictions in each bin ``[bins]``; NaN in an empty bin.
        confidence: Mean confidence in each bin ``[bins]``; NaN in an empty bin.
    """

    count: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    confidence: NDArray[np.float64]


def calibration_bins(probabilities: Floats, labels: NDArray[np.int64], bins: int = BINS) -> CalibrationBins:
    """Groups predictions by confidence, the largest probability, into right-closed bins of equal width.

    Args:
        probabilities: Probabilities ``[n, classes]``. The first of equal probabilities is the prediction.
        labels: Labels ``[n]`` in ``[0, classes)``.
        bins: Number of bins, at least 1.

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
    r"""Expected calibration error of binned predictions (Guo et al. 2017, equation 3).

    .. math:: \sum_m \frac{|B_m|}{n} \, |\mathrm{acc}(B_m) - \mathrm{conf}(B_m)|

    Args:
        bins: Bins :math:`B_m` with at least one prediction.

    Returns:
        Fraction in [0, 1].
    """
    filled = bins.count > 0
    gap = np.abs(bins.accuracy - bins.confidence)[filled]
    return float(gap @ bins.count[filled] / bins.count.sum())


def expected_calibration_error(logits: Floats, labels: NDArray[np.int64], bins: int = BINS) -> float:
    """Expected calibration error at temperature 1 over right-closed bins of equal width (paper, section 3.1).

    Args:
        logits: Logits ``[n, classes]``, n >= 1.
        labels: Labels ``[n]`` in ``[0, classes)``.
        bins: Number of bins, 20 in the paper.

    Returns:
        Fraction in [0, 1].

    Example:
        >>> expected_calibration_error(np.zeros((4, 2)), np.array([0, 0, 0, 1]))
        0.25
    """
    return calibration_error(calibration_bins(np.exp(log_softmax(logits)), labels, bins))
