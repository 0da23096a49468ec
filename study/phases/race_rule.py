"""A race of configurations over seeds: decides from a table of values which configurations drop out.

The procedure follows Birattari's races (The Problem of Tuning Metaheuristics, 2004; irace, Lopez-Ibanez et al. 2016):
all remaining configurations run with one more seed, and those that are clearly worse than the leader drop out. A paired
t test of two candidates over three seeds has only two degrees of freedom, so seeds are blocks as in the blocked race
(BRACE, Moore and Lee 1994), and the noise is pooled over all remaining configurations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.statistics.over_seeds import holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from study.definition.sections import Race

    Table = Mapping[tuple[str, int], float | None]

ROUNDING = 1e-12  # differences up to this are rounding errors


@dataclass(frozen=True)
class Exit:
    """A configuration that dropped out.

    Attributes:
        name: Name of the configuration.
        seeds: Number of seeds with which it had run.
        p: p-value against the leader, corrected for the comparisons of its round; None if its run failed.
    """

    name: str
    seeds: int
    p: float | None


@dataclass(frozen=True)
class Standing:
    """The standing of a race after its complete rounds.

    Attributes:
        rounds: Number of complete rounds; in a round all remaining configurations run with one more seed.
        racing: Names of the remaining configurations, best mean over the complete rounds first.
        exits: Configurations that dropped out, in this order.
        wanted: Pairs of name and seed that must end before the next decision; empty when the race is over.
    """

    rounds: int
    racing: tuple[str, ...]
    exits: tuple[Exit, ...]
    wanted: tuple[tuple[str, int], ...]

    @property
    def order(self) -> tuple[str, ...]:
        """All names, best first: the remaining ones, then those that dropped out, the last to do so first.

        A failed run counts as worse than any value: a finalist must not diverge with an unlucky seed.
        """
        beaten = [left.name for left in reversed(self.exits) if left.p is not None]
        return (*self.racing, *beaten, *(left.name for left in self.exits if left.p is None))


def standing(
    names: Sequence[str], table: Table, *, seeds: Sequence[int], survivors: int, rule: Race, minimizes: bool
) -> Standing:
    """Returns the standing of a race, replayed from the values of its runs; a pure function of its arguments.

    Args:
        names: Names of the configurations, best in the search first.
        table: Value of each ended run by name and seed; None for a failed run.
        seeds: Training seeds, one per round.
        survivors: Number of configurations at which the race ends.
        rule: First round with a test, and level of the test.
        minimizes: Whether smaller values are better.
    """
    racing, exits = list(names), list[Exit]()
    for number, seed in enumerate(seeds):
        if len(racing) <= survivors:
            return Standing(number, tuple(racing), tuple(exits), ())
        if any((name, seed) not in table for name in racing):
            # Nothing is decided before the first test, so the rounds up to it can run concurrently.
            until = max(rule.first_test, number + 1)
            wanted = [(name, seed) for seed in seeds[number:until] for name in racing if (name, seed) not in table]
            return Standing(number, tuple(racing), tuple(exits), tuple(wanted))
        failed = [name for name in racing if table[name, seed] is None]
        values = _values([name for name in racing if name not in failed], table, seeds[: number + 1], minimizes)
        racing = sorted(values, key=lambda name: math.fsum(values[name]))  # stable: a tie keeps the earlier order
        beaten = _beaten(values, racing, survivors, rule.level) if number + 1 >= rule.first_test else {}
        exits += [Exit(name, number + 1, None) for name in failed]
        exits += [Exit(name, number + 1, beaten[name]) for name in reversed(racing) if name in beaten]
        racing = [name for name in racing if name not in beaten]
    return Standing(len(seeds), tuple(racing), tuple(exits), ())


def _values(names: Sequence[str], table: Table, seeds: Sequence[int], minimizes: bool) -> dict[str, list[float]]:
    """Returns the values by name, with the sign that makes smaller ones better."""
    sign = 1.0 if minimizes else -1.0
    return {name: [sign * value for seed in seeds if (value := table[name, seed]) is not None] for name in names}


def _beaten(values: Mapping[str, list[float]], racing: list[str], survivors: int, level: float) -> dict[str, float]:
    """Returns the corrected p-values of the names that are significantly worse than the leader.

    Args:
        values: Values by name, smaller is better.
        racing: Names, smallest mean first.
        survivors: Number of the best names that stay regardless of the test.
        level: Significance level of the corrected p-values.
    """
    if len(racing) < 2:
        return {}
    corrected = holm(p_values(np.array([values[name] for name in racing])).tolist())
    return {
        name: p
        for place, (name, p) in enumerate(zip(racing[1:], corrected, strict=True), start=1)
        if p < level and place >= survivors
    }


def p_values(values: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Returns p-values of two-sided t tests of each row against the first one, in a two-way layout.

    With the residuals :math:`e_{ij} = y_{ij} - \bar y_{i\cdot} - \bar y_{\cdot j} + \bar y` of k rows and n seeds, and
    :math:`s^2 = \sum e_{ij}^2 / f` with :math:`f = (k - 1)(n - 1)` degrees of freedom,

    .. math:: t_i = (\bar y_{i\cdot} - \bar y_{1\cdot}) / (s \sqrt{2 / n})

    For two rows this is the paired t test.

    Args:
        values: Array of shape ``[k, n]``, k and n at least 2; a column is a seed.

    Returns:
        Array of shape ``[k - 1]``; without noise 1 for no difference and 0 for any.

    Example:
        >>> p_values(np.array([[0.1, 0.2, 0.1], [0.3, 0.4, 0.4]])).round(3)
        array([0.02])
    """
    from scipy import stats

    rows, seeds = values.shape
    means, degrees = values.mean(axis=1), (rows - 1) * (seeds - 1)
    residuals = values - means[:, None] - values.mean(axis=0) + values.mean()
    differences = np.abs(means[1:] - means[0])
    error = np.sqrt((residuals**2).sum() / degrees * 2 / seeds)
    if error <= ROUNDING:
        return np.where(differences <= ROUNDING, 1.0, 0.0)
    return np.asarray(2 * stats.t.sf(differences / error, degrees), dtype=float)
