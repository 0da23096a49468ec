"""Estimates a smooth, noisy function of two parameters from trials: a Gaussian process on the unit square."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


def estimate(points: NDArray[np.float64], values: NDArray[np.float64], at: NDArray[np.float64]) -> Estimate:
    r"""Posterior of a Gaussian process with Matérn 5/2 kernel, one length scale a dimension, and white noise.

    .. math:: y_i = f(x_i) + \epsilon_i, \qquad k(x, x') = s^2 \, M_{5/2}(x, x'; \ell_1, \ell_2)

    The hyperparameters are those of the largest marginal likelihood, from three starts with a fixed seed.

    Args:
        points: Trials in the unit square ``[n, 2]``, n >= 2.
        values: Their values ``[n]``, in any unit.
        at: Where to estimate ``[m, 2]``.

    Returns:
        Means and deviations ``[m]`` in the unit of the values.

    Example:
        >>> square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> estimate(square, np.full(4, 0.25), square[:1]).mean
        array([0.25])
    """
    from sklearn.gaussian_process import GaussianProcessRegressor

    if np.ptp(values) == 0:  # nothing to learn, and nothing to scale by
        return Estimate(np.full(len(at), values[0]), np.zeros(len(at)), 0.0)
    process = GaussianProcessRegressor(_kernel(), normalize_y=True, n_restarts_optimizer=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hyperparameter at its bound: few trials often leave it there
        process.fit(points, values)
    mean, std = process.predict(at, return_std=True)
    noise_variance = process.kernel_.k2.noise_level * float(np.var(values))
    posterior_variance = np.maximum(std**2 - noise_variance, 0.0)
    return Estimate(mean, np.sqrt(posterior_variance), noise_variance**0.5)


def _kernel() -> object:
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    smooth = Matern(length_scale=[0.5, 0.5], length_scale_bounds=(0.1, 10.0), nu=2.5)
    return ConstantKernel(1.0, (0.05, 20.0)) * smooth + WhiteKernel(0.1, (1e-4, 2.0))
