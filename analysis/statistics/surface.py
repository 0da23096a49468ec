"""Estimates a smooth, noisy function of a few parameters from trials: a Gaussian process on the unit cube."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_FITTED = 150
_MOST_KNOWN = 1024  # a process over all of 10,000 trials takes five minutes and 6 GB


class Estimate(NamedTuple):
    """What a Gaussian process believes.

    Attributes:
        mean: Estimated function at each asked point.
        std: Standard deviation of that estimate, without the noise of a trial.
        noise: Standard deviation of a trial's value around the function.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    noise: float


@dataclass(frozen=True)
class Surface:
    r"""A Gaussian process with Matérn 5/2 kernel, one length scale a dimension, and white noise, fitted to trials.

    .. math:: y_i = f(x_i) + \epsilon_i, \qquad k(x, x') = s^2 \, M_{5/2}(x, x'; \ell_1, \ell_2, \ldots)

    Attributes:
        process: The fitted process; None where all values are equal.
        mean: Of the trials' values.
        noise: Standard deviation of a trial's value around the function.
    """

    process: Any
    mean: float
    noise: float

    def at(self, points: NDArray[np.float64]) -> Estimate:
        """The function at points of the unit cube ``[m, dimensions]``."""
        if self.process is None:
            return Estimate(np.full(len(points), self.mean), np.zeros(len(points)), 0.0)
        mean, std = self.process.predict(points, return_std=True)
        return Estimate(mean, np.sqrt(np.maximum(std**2 - self.noise**2, 0.0)), self.noise)

    def mean_at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The function's mean at points, without its deviation, which costs ten times as much."""
        return np.full(len(points), self.mean) if self.process is None else np.asarray(self.process.predict(points))

    def average(self, points: NDArray[np.float64]) -> tuple[float, float]:
        """Mean of the function over points ``[m, dimensions]``, with the standard deviation of that estimate."""
        if self.process is None:
            return self.mean, 0.0
        mean, covariance = self.process.predict(points, return_cov=True)
        variance = covariance.mean() - self.noise**2 / len(points)  # the noise stands on the diagonal
        return float(mean.mean()), float(max(variance, 0.0)) ** 0.5


def fit(points: NDArray[np.float64], values: NDArray[np.float64]) -> Surface:
    """Fits a surface: hyperparameters of the largest marginal likelihood, from three starts with a fixed seed.

    Beyond 150 trials the hyperparameters come from 150 of them, evenly chosen in their order; beyond 1,024 the function
    comes from 1,024 of them, chosen likewise.

    Args:
        points: Trials in the unit cube ``[n, dimensions]``, n >= 2.
        values: Their values ``[n]``, in any unit.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor

    if np.ptp(values) == 0:  # nothing to learn, and nothing to scale by
        return Surface(None, float(values[0]), 0.0)
    fitted, known = _evenly(len(values), _MOST_FITTED), _evenly(len(values), _MOST_KNOWN)
    process = GaussianProcessRegressor(
        _kernel(points.shape[1]), normalize_y=True, n_restarts_optimizer=2, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hyperparameter at its bound: few trials often leave it there
        process.fit(points[fitted], values[fitted])
        if len(fitted) < len(known):
            process = GaussianProcessRegressor(process.kernel_, normalize_y=True, optimizer=None)
            process.fit(points[known], values[known])
    noise_variance = process.kernel_.k2.noise_level * float(np.var(values))
    return Surface(process, float(np.mean(values)), noise_variance**0.5)


def estimate(points: NDArray[np.float64], values: NDArray[np.float64], at: NDArray[np.float64]) -> Estimate:
    """Fits a surface to trials and reads it.

    Args:
        points: Trials in the unit cube ``[n, dimensions]``, n >= 2.
        values: Their values ``[n]``, in any unit.
        at: Where to estimate ``[m, dimensions]``.

    Returns:
        Means and deviations ``[m]`` in the unit of the values.

    Example:
        >>> square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> estimate(square, np.full(4, 0.25), square[:1]).mean
        array([0.25])
    """
    return fit(points, values).at(at)


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Indices of at most so many of ``count`` things."""
    return np.unique(np.linspace(0, count - 1, most).astype(np.int64))


def _kernel(dimensions: int) -> object:
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    smooth = Matern(length_scale=[0.5] * dimensions, length_scale_bounds=(0.1, 10.0), nu=2.5)
    return ConstantKernel(1.0, (0.05, 20.0)) * smooth + WhiteKernel(0.1, (1e-4, 2.0))
