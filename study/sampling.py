"""Suggests the next point of a search: a fresh sampler on an ordered copy of the trials.

Suggestion n is a function of (seed, n) and of the trials as they stand, so a study that is reopened neither repeats
itself nor depends on who asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from search_spaces import space as spaces

STARTUP_TRIALS = 8
REDRAWS = 5


def suggest(
    space: spaces.Space, trials: Sequence[FrozenTrial], *, sampler: str, seed: int, number: int, minimizes: bool
) -> dict[str, Any] | None:
    """The point of trial ``number``.

    On a discrete space no point is suggested twice, whatever became of the first: the sampler is asked again with
    another draw a few times, then a free cell is drawn.

    Args:
        space: What varies.
        trials: All trials so far, running ones included.
        sampler: ``gp``, ``tpe``, ``random`` or ``grid``.
        seed: Of the study's sampler.
        number: Of the trial to come.
        minimizes: Direction of the objective.

    Returns:
        The point; None when no cell is free.
    """
    taken = {spaces.key(trial.params) for trial in trials}
    count = spaces.cell_count(space)
    discrete = count is not None and count <= spaces.LARGEST_GRID  # beyond, a repeat is as unlikely as on a range
    free = (cell for cell in spaces.cells(space) if spaces.key(cell) not in taken) if discrete else iter(())
    if sampler == "grid":
        return next(free, None)
    if discrete and (cell := next(free, None)) is None:
        return None
    for redraw in range(REDRAWS):
        point = _ask(space, trials, sampler, _derived_seed(seed, number, redraw), minimizes)
        if not discrete or spaces.key(point) not in taken:
            return point
    cells = [cell, *free]
    return cells[int(np.random.default_rng([seed, number, REDRAWS]).integers(len(cells)))]


def _ask(
    space: spaces.Space, trials: Sequence[FrozenTrial], sampler: str, seed: int, minimizes: bool
) -> dict[str, Any]:
    direction = StudyDirection.MINIMIZE if minimizes else StudyDirection.MAXIMIZE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(direction=direction, sampler=_sampler(sampler, seed))
        study.add_trials(sorted(trials, key=lambda trial: trial.number))
        return dict(study.ask(space).params)


def _sampler(name: str, seed: int) -> BaseSampler:
    # Options are named because Optuna's defaults change between versions.
    if name == "gp":
        independent = RandomSampler(seed=seed)
        return GPSampler(
            seed=seed,
            independent_sampler=independent,
            n_startup_trials=STARTUP_TRIALS,
            deterministic_objective=False,
        )
    if name == "tpe":
        return TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True)
    return RandomSampler(seed=seed)


def _derived_seed(*entropy: int) -> int:
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
