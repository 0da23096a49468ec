"""Suggests the next point of a search: a function of the sampler's seed, the trial's number and the trials so far.

Every suggestion comes from a fresh sampler on an ordered copy of the trials, so a study that is reopened neither
repeats itself nor depends on who asked, or on when trials began and ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search_spaces import space as spaces
from study.search.enumeration import is_discrete, nearest_free_cell
from study.search.proposals import PROPOSALS, Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial


def suggest(
    space: spaces.Space,
    trials: Sequence[FrozenTrial],
    *,
    sampler: str,
    seed: int,
    minimizes: Sequence[bool],
    planned: int,
) -> dict[str, Any] | None:
    """The point of the next trial.

    On a discrete space no point is suggested twice, whatever became of the first. One with no more cells than planned
    trials is gone through cell by cell, whatever the sampler, spread out so that it may be stopped anywhere.

    Args:
        space: What varies.
        trials: All trials so far, running ones included, in any order.
        sampler: ``gp``, ``tpe``, ``nsgaii``, ``random``, ``qmc`` or ``grid``.
        seed: Of the study's sampler.
        minimizes: For each objective, whether smaller is better.
        planned: Trials that the search is to have.

    Returns:
        The point; None when no cell is free.
    """
    ordered = sorted(trials, key=lambda trial: trial.number)
    taken = [trial.params for trial in ordered]
    count = spaces.cell_count(space)
    if count is not None and len({spaces.key(point) for point in taken}) >= count:
        return None
    name = "grid" if count is not None and count <= planned else sampler
    wish = PROPOSALS[name](Question(space, ordered, seed, len(ordered), tuple(minimizes)))
    return nearest_free_cell(space, taken, wish) if is_discrete(space) else wish
