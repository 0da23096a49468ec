"""Calibration metrics that the paper does not use: equal-mass ECE, Brier score, temperature scaling; in float64."""

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
    """Temperature that minimises the negative log likelihood.

    Attributes:
        temperature: Fitted temperature, in [0.01, 100].
        inside: Whether the optimum lies inside the searched range. It does not if all predictions are correct.
    """

    temperature: float
    inside: bool


def brier_score(logits: Floats, labels: NDArray[np.int64]) -> float:
    r"""Mean squared distance between probabilities and one-hot labels (Brier 1950), halved to lie in [0, 1].

    .. math:: \frac{1}{2n} \sum_i \sum_c (p_{ic} - [c = y_i])^2

    Args:
        logits: Logits ``[n, classes]``, n >= 1.
        labels: Labels ``[n]`` in ``[0, classes)``.

    Returns:
        Score in [0, 1].

    Example:
        >>> brier_score(np.zeros((2, 2)), np.array([0, 1]))
        0.25
    """
    return _brier(np.exp(log_softmax(logits)), labels)


def equal_mass_bins(probabilities: Floats, labels: NDArray[np.int64], bins: int = COARSE_BINS) -> CalibrationBins:
    """Groups predictions, sorted by confidence, into bins whose counts differ by at most one.

    Args:
        probabilities: Probabilities ``[n, classes]``. Predictions with equal confidence keep their order.
        labels: Labels ``[n]`` in ``[0, classes)``.
        bins: Number of bins, at least 1.

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

    The negative log likelihood is convex in :math:`\beta = 1 / T`, so its derivative, the mean of
    :math:`\sum_c p_c z_c - z_y` with :math:`p = \sigma(\beta z)`, has at most one root. Brent's method searches it in
    log T for T from 0.01 to 100. If the range contains no root, the temperature is the end nearer to the root.

    Args:
        logits: Logits ``[n, classes]``, n >= 1. To scale other data, pass logits of validation data.
        labels: Labels ``[n]`` in ``[0, classes)``.
    """
    from scipy.optimize import brentq  # the import takes half a second

    z = logits.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    label_mean = np.take_along_axis(z, labels[:, None], axis=1).mean()

    def slope(log_temperature: float) -> float:
        weights = np.exp(z / np.exp(log_temperature))
        return float(np.mean(np.einsum("nc,nc->n", weights, z) / weights.sum(axis=1)) - label_mean)

    low, high = np.log(LOWEST), np.log(HIGHEST)
    if slope(low) <= 0:  # a lower temperature would fit better
        return FittedTemperature(LOWEST, inside=False)
    if slope(high) >= 0:
        return FittedTemperature(HIGHEST, inside=False)
    return FittedTemperature(float(np.exp(brentq(slope, low, high, xtol=PRECISION))), inside=True)


def cross_fitted_temperatures(logits: Floats, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Temperature for each sample, fitted to the half of the samples that does not contain it.

    A fixed shuffle defines the halves. This measures the effect of temperature scaling if no separate split is
    available; it gives no single temperature for use on other data.

    Args:
        logits: Logits ``[n, classes]``, n >= 2.
        labels: Labels ``[n]`` in ``[0, classes)``.

    Returns:
        Temperatures ``[n]``, one value per half.
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
        logits: Logits ``[n, classes]``, n >= 1.
        labels: Labels ``[n]`` in ``[0, classes)``.
        temperature: Temperature fitted to other data, one for all samples or one per sample ``[n]``. None omits the
            metrics after scaling.

    Returns:
        ``brier``, ``ece_15_bins``, ``ece_equal_mass`` and, with a temperature, ``ece_scaled`` as fractions in [0, 1],
        and ``nll_scaled`` in nats.

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
    of_label = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    return float(np.mean(np.einsum("nc,nc->n", probabilities, probabilities) - 2 * of_label + 1) / 2)
