"""Calibration beyond the paper's: equal-mass bins, the Brier score, temperature scaling; in float64 on the host."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.classification import Metric, mean_loss
from trainables.metrics.ece import CalibrationBins, calibration_bins, calibration_error
from trainables.metrics.probabilities import Floats, log_softmax

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
    return _brier(np.exp(log_softmax(logits)), labels)


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


def fit_temperature(logits: Floats, labels: NDArray[np.int64]) -> FittedTemperature:
    r"""Temperature that minimises the mean negative log likelihood of ``logits / T`` (Guo et al. 2017, section 4.2).

    The likelihood is convex in :math:`\beta = 1 / T`, so its derivative, the mean of
    :math:`\sum_c p_c z_c - z_y` with :math:`p = \sigma(\beta z)`, has one root: Brent's method in log T, from 0.01 to
    100. Where there is no root in between, the temperature is the end that is nearer to it.

    Args:
        logits: ``[n, classes]``, at least one sample; of validation data, for a temperature that is to be used.
        labels: ``[n]``.
    """
    from scipy.optimize import brentq  # half a second, which only those who fit should wait

    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    own = np.take_along_axis(z, labels[:, None], axis=1).mean()

    def slope(log_temperature: float) -> float:
        weights = np.exp(z / np.exp(log_temperature))
        return float(np.mean(np.einsum("nc,nc->n", weights, z) / weights.sum(axis=1)) - own)

    low, high = np.log(LOWEST), np.log(HIGHEST)
    if slope(low) <= 0:  # sharper were better still
        return FittedTemperature(LOWEST, inside=False)
    if slope(high) >= 0:
        return FittedTemperature(HIGHEST, inside=False)
    return FittedTemperature(float(np.exp(brentq(slope, low, high, xtol=PRECISION))), inside=True)


def cross_fitted_temperatures(logits: Floats, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """For each sample the temperature that fits the half that it is not in: what scaling would do, lacking a split.

    Two halves by a fixed shuffle; no sample is scaled by what it helped to fit. It measures, and is nothing to deploy.

    Args:
        logits: ``[n, classes]``, at least two samples.
        labels: ``[n]``.

    Returns:
        ``[n]``, two distinct values.
    """
    half = np.zeros(len(labels), dtype=bool)
    half[np.random.default_rng(0).permutation(len(labels))[: len(labels) // 2]] = True
    first, second = (fit_temperature(logits[part], labels[part]).temperature for part in (half, ~half))
    return np.where(half, second, first)


def calibration(
    logits: Floats, labels: NDArray[np.int64], temperature: float | NDArray[np.float64] | None = None
) -> dict[str, float]:
    """Calibration metrics of predictions; keys are those of ``CALIBRATION``.

    Args:
        logits: ``[n, classes]``.
        labels: ``[n]``.
        temperature: Fitted on other data, one for all or one for each sample ``[n]``; without one there is nothing
            scaled.

    Example:
        >>> list(calibration(np.zeros((2, 2)), np.array([0, 1])))
        ['brier', 'ece_15_bins', 'ece_equal_mass']
    """
    probabilities = np.exp(log_softmax(logits))
    values = {
        "brier": _brier(probabilities, labels),
        "ece_15_bins": calibration_error(calibration_bins(probabilities, labels, COARSE_BINS)),
        "ece_equal_mass": calibration_error(equal_mass_bins(probabilities, labels)),
    }
    if temperature is None:
        return values
    scaled = log_softmax(logits.astype(np.float64) / np.reshape(temperature, (-1, 1)))
    return values | {
        "ece_scaled": calibration_error(calibration_bins(np.exp(scaled), labels)),
        "nll_scaled": mean_loss(scaled, labels),
    }


def _brier(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    return float(np.mean(np.einsum("nc,nc->n", probabilities, probabilities) - 2 * own + 1) / 2)
