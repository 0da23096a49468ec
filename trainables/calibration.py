"""Calibration beyond the paper's: equal-mass bins, the Brier score, temperature scaling; in float64 NumPy only."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainables.metrics import (
    CalibrationBins,
    Floats,
    Metric,
    calibration_error,
    expected_calibration_error,
    log_softmax,
    negative_log_likelihood,
)

COARSE_BINS = 15
LOWEST, HIGHEST = 0.01, 100.0
PRECISION = 1e-8

CALIBRATION: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("brier", "minimize", "fraction"),
        Metric("ece_15_bins", "minimize", "fraction"),
        Metric("ece_equal_mass", "minimize", "fraction"),
        Metric("ece_scaled", "minimize", "fraction"),
        Metric("nll_scaled", "minimize", "nats"),
    )
}


class FittedTemperature(NamedTuple):
    """Temperature that fits logits best.

    Attributes:
        temperature: T*.
        inside: Whether it lies inside the range that was searched; where every prediction is right it does not.
    """

    temperature: float
    inside: bool


def brier_score(logits: Floats, labels: NDArray[np.int64]) -> float:
    r"""Mean squared distance of the probabilities from the one-hot label (Brier 1950), halved to lie in [0, 1].

    .. math:: \frac{1}{2n} \sum_i \sum_c (p_{ic} - [c = y_i])^2

    Example:
        >>> brier_score(np.zeros((2, 2)), np.array([0, 1]))
        0.25
    """
    residual = np.exp(log_softmax(logits))
    residual[np.arange(len(labels)), labels] -= 1
    return float((residual**2).sum(axis=1).mean() / 2)


def equal_mass_bins(probabilities: Floats, labels: NDArray[np.int64], bins: int = COARSE_BINS) -> CalibrationBins:
    """Groups predictions, ordered by confidence, into bins of equal counts (but for one); equal ones keep their order.

    Example:
        >>> equal_mass_bins(np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]), np.array([0, 0, 0]), bins=2).count
        array([2, 1])
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    hit = probabilities.argmax(axis=1) == labels
    groups = np.array_split(np.argsort(confidence, kind="stable"), bins)
    mean = [(hit[group].mean(), confidence[group].mean()) if len(group) else (np.nan, np.nan) for group in groups]
    accuracy, mean_confidence = (np.array(each) for each in zip(*mean, strict=True))
    return CalibrationBins(np.array([len(group) for group in groups]), accuracy, mean_confidence)


def equal_mass_calibration_error(logits: Floats, labels: NDArray[np.int64], bins: int = COARSE_BINS) -> float:
    """Expected calibration error over bins of equal counts, which no empty or crowded bin dominates.

    Returns:
        Fraction in [0, 1].
    """
    return calibration_error(equal_mass_bins(np.exp(log_softmax(logits)), labels, bins))


def fit_temperature(logits: Floats, labels: NDArray[np.int64]) -> FittedTemperature:
    r"""Temperature that minimises the mean negative log likelihood of ``logits / T`` (Guo et al. 2017, section 4.2).

    The likelihood has one minimum in T, for it is convex in 1 / T: golden-section search in log T, from 0.01 to 100.
    Fit it on validation data, never on test data.

    Args:
        logits: ``[n, classes]``.
        labels: ``[n]``.
    """

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits.astype(np.float64) / np.exp(log_temperature), labels)

    low, high = ends = np.log(LOWEST), np.log(HIGHEST)
    ratio = (np.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    left_loss, right_loss = loss(left), loss(right)
    while high - low > PRECISION:
        if left_loss <= right_loss:
            high, right, right_loss = right, left, left_loss
            left = high - ratio * (high - low)
            left_loss = loss(left)
        else:
            low, left, left_loss = left, right, right_loss
            right = low + ratio * (high - low)
            right_loss = loss(right)
    best = (low + high) / 2
    return FittedTemperature(float(np.exp(best)), bool(min(best - ends[0], ends[1] - best) > 1e-6))


def calibration(logits: Floats, labels: NDArray[np.int64], temperature: float | None = None) -> dict[str, float]:
    """Calibration metrics of predictions; keys are those of ``CALIBRATION``.

    Args:
        logits: ``[n, classes]``.
        labels: ``[n]``.
        temperature: Fitted on validation data; without one there is nothing scaled.

    Example:
        >>> list(calibration(np.zeros((2, 2)), np.array([0, 1])))
        ['brier', 'ece_15_bins', 'ece_equal_mass']
    """
    values = {
        "brier": brier_score(logits, labels),
        "ece_15_bins": expected_calibration_error(logits, labels, COARSE_BINS),
        "ece_equal_mass": equal_mass_calibration_error(logits, labels),
    }
    if temperature is None:
        return values
    scaled = logits.astype(np.float64) / temperature
    return values | {
        "ece_scaled": expected_calibration_error(scaled, labels),
        "nll_scaled": negative_log_likelihood(scaled, labels),
    }
