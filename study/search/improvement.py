"""Estimates the expected improvement of a further search trial and the noise of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from optuna.trial import TrialState

from analysis.statistics import surface
from study.search.unit_cube import positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from search_spaces import space as spaces

TRIALS_PER_DIMENSION = 8
CANDIDATES = 1024
SMALL = 0.1  # a gain below this share of the noise is small


class Improvement(NamedTuple):
    """Expected improvement of a further trial.

    Attributes:
        gain: Largest expected improvement over the best posterior mean of a trial, in the objective's unit.
        noise: Estimated standard deviation of a trial's value around its true value.
    """

    gain: float
    noise: float

    @property
    def is_small(self) -> bool:
        """Whether the gain is so small beside the noise that a confirmation with a few seeds could not show it."""
        return self.gain < SMALL * self.noise


def expected(space: spaces.Space, trials: Sequence[FrozenTrial], *, minimizes: bool) -> Improvement | None:
    r"""Returns the largest expected improvement in the space (Jones, Schonlau and Welch 1998).

    A Gaussian process with white noise is fitted to the completed trials. With the posterior mean :math:`\mu` and
    deviation :math:`\sigma` of the function without its noise, and the best posterior mean :math:`\mu^*` of a trial,

    .. math:: EI(x) = (\mu^* - \mu(x)) \, \Phi(z) + \sigma(x) \, \varphi(z), \qquad z = (\mu^* - \mu(x)) / \sigma(x)

    Args:
        space: Search space.
        trials: Search trials, by number.
        minimizes: Whether smaller values are better.

    Returns:
        Expected improvement and noise; None with fewer than eight completed trials per dimension.
    """
    from scipy.stats import norm, qmc

    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    points = positions(space, [trial.params for trial in complete])
    if len(complete) < max(TRIALS_PER_DIMENSION * points.shape[1], 1) or points.shape[1] == 0:
        return None
    sign = 1.0 if minimizes else -1.0
    values = sign * np.array([trial.values[0] for trial in complete])
    # Candidates need not be valid one-hot choices: the process is smooth between the choices.
    candidates = qmc.Sobol(points.shape[1], rng=np.random.default_rng(0)).random(CANDIDATES)
    mean, deviation, noise = surface.estimate(points, values, np.concatenate([points, candidates]))
    best = mean[: len(points)].min()
    z = (best - mean) / np.maximum(deviation, 1e-12)
    gain = (best - mean) * norm.cdf(z) + deviation * norm.pdf(z)
    return Improvement(float(gain.max()), noise)
