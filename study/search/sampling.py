"""Suggests the next point of a search as a function of the sampler's seed, the trial's number and the trials so far.

Each suggestion comes from a new sampler on an ordered copy of the trials, so it depends neither on earlier calls nor on
the times at which trials started and ended, and a resumed study repeats no point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search_spaces import space as spaces
from study.search.enumeration import is_discrete, nearest_free_cell
from study.search.proposals import PROPOSALS, SearchState

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
    """Returns the point of the next trial.

    In a discrete space no point is suggested twice, even if its trial failed. A space with no more cells than planned
    trials is enumerated regardless of the sampler, in an order that spreads the first cells evenly.

    Args:
        space: Search space.
        trials: All trials so far, including running ones, in any order.
        sampler: ``gp``, ``tpe``, ``nsgaii``, ``random``, ``qmc`` or ``grid``.
        seed: Seed of the study's sampler.
        minimizes: For each objective, whether smaller values are better.
        planned: Number of planned trials.

    Returns:
        The point; None if no cell is free.
    """
    ordered = sorted(trials, key=lambda trial: trial.number)
    taken = [trial.params for trial in ordered]
    count = spaces.cell_count(space)
    if count is not None and len({spaces.key(point) for point in taken}) >= count:
        return None
    name = "grid" if count is not None and count <= planned else sampler
    proposal = PROPOSALS[name](SearchState(space, ordered, seed, len(ordered), tuple(minimizes)))
    return nearest_free_cell(space, taken, proposal) if is_discrete(space) else proposal
