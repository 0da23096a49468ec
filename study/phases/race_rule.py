"""A race of configurations over seeds: who falls behind, and when. Pure arithmetic on a table of values.

The frame is that of Birattari's races (The Problem of Tuning Metaheuristics, 2004; irace, Lopez-Ibanez et al. 2016):
all that are in run with one more seed, and those that are clearly worse than the leader drop out. Three seeds leave a
paired t test of two candidates two degrees of freedom, which tell nothing, so seeds are blocks as in the blocked race
(BRACE, Moore and Lee 1994), and the noise is pooled over all that are in.
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

NOTHING = 1e-12  # rounding


@dataclass(frozen=True)
class Exit:
    """A configuration that dropped out.

    Attributes:
        name: Of the configuration.
        seeds: How many it had run with.
        p: By which it was told from the leader, corrected for the comparisons of its round; None where its run failed.
    """

    name: str
    seeds: int
    p: float | None


@dataclass(frozen=True)
class Standing:
    """How a race stands after its whole rounds.

    Attributes:
        rounds: Whole rounds; a round is one seed for all that are in.
        racing: Those still in, the best mean over the seeds of the rounds first.
        exits: Those that are not, in the order in which they dropped out.
        wanted: Pairs of name and seed that must have ended before the next decision; empty when the race is over.
    """

    rounds: int
    racing: tuple[str, ...]
    exits: tuple[Exit, ...]
    wanted: tuple[tuple[str, int], ...]

    @property
    def order(self) -> tuple[str, ...]:
        """All names, the best first: those still in, then those that came further before they dropped out.

        A run that failed counts as worse than any value: a finalist must not diverge with an unlucky seed.
        """
        beaten = [gone.name for gone in reversed(self.exits) if gone.p is not None]
        return (*self.racing, *beaten, *(gone.name for gone in self.exits if gone.p is None))


def standing(
    names: Sequence[str], table: Table, *, seeds: Sequence[int], survivors: int, rule: Race, minimizes: bool
) -> Standing:
    """Replays a race from what its runs reached; the same table gives the same standing, whoever asks and when.

    Args:
        names: Of the configurations, those that are believed to be better first.
        table: Value of each run that has ended, by name and seed; None of one that failed.
        seeds: One a round.
        survivors: The race is over when no more than so many are in.
        rule: When to test, and at which level.
        minimizes: Whether smaller values are better.
    """
    racing, exits = list(names), list[Exit]()
    for number, seed in enumerate(seeds):
        if len(racing) <= survivors:
            return Standing(number, tuple(racing), tuple(exits), ())
        if any((name, seed) not in table for name in racing):
            # No decision falls before the first test, so the seeds up to it need not wait for each other.
            until = max(rule.first_test, number + 1)
            wanted = [(name, seed) for seed in seeds[number:until] for name in racing if (name, seed) not in table]
            return Standing(number, tuple(racing), tuple(exits), tuple(wanted))
        failed = [name for name in racing if table[name, seed] is None]
        values = _values([name for name in racing if name not in failed], table, seeds[: number + 1], minimizes)
        racing = sorted(values, key=lambda name: math.fsum(values[name]))  # stable: a tie leaves the earlier belief
        beaten = _beaten(values, racing, survivors, rule.level) if number + 1 >= rule.first_test else {}
        exits += [Exit(name, number + 1, None) for name in failed]
        exits += [Exit(name, number + 1, beaten[name]) for name in reversed(racing) if name in beaten]
        racing = [name for name in racing if name not in beaten]
    return Standing(len(seeds), tuple(racing), tuple(exits), ())


def _values(names: Sequence[str], table: Table, seeds: Sequence[int], minimizes: bool) -> dict[str, list[float]]:
    """Values by name, smaller ones better."""
    sign = 1.0 if minimizes else -1.0
    return {name: [sign * value for seed in seeds if (value := table[name, seed]) is not None] for name in names}


def _beaten(values: Mapping[str, list[float]], racing: list[str], survivors: int, level: float) -> dict[str, float]:
    """Those that can be told from the leader, with the corrected p-value; never more than leaves ``survivors``.

    Args:
        values: By name, smaller ones better.
        racing: Names, the smallest mean first.
        survivors: So many stay whatever the test says.
        level: Of the corrected p-values.
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
    r"""Whether rows differ from the first one, by two-sided t tests in a two-way layout.

    With the residuals :math:`e_{ij} = y_{ij} - \bar y_{i\cdot} - \bar y_{\cdot j} + \bar y` of k rows and n seeds, and
    :math:`s^2 = \sum e_{ij}^2 / f` with :math:`f = (k - 1)(n - 1)` degrees of freedom,

    .. math:: t_i = (\bar y_{i\cdot} - \bar y_{1\cdot}) / (s \sqrt{2 / n})

    For two rows that is the paired t test.

    Args:
        values: Shape ``[k, n]``, k and n at least 2; a column is a seed.

    Returns:
        Shape ``[k - 1]``; where there is no noise 1 without a difference, 0 with one.

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
    if error <= NOTHING:
        return np.where(differences <= NOTHING, 1.0, 0.0)
    return np.asarray(2 * stats.t.sf(differences / error, degrees), dtype=float)
