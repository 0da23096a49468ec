"""Ranks search trials and orders them for the confirmation, by validation data only."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import TrialState

from analysis.statistics import pareto
from study.search.unit_cube import positions
from study.state.optuna_store import FOLDERS
from trainables.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from optuna.trial import FrozenTrial

    from study.definition.study_config import StudyConfig
    from study.state.directory import OpenStudy

FEWEST_FOR_POSTERIOR = 16


def ranked(study: OpenStudy) -> list[FrozenTrial]:
    """Returns completed search trials, best first: by the objective, then by validation NLL, then by number.

    The tie-break matters because several trials reach the same error on small splits. With two objectives the first one
    ranks, but trials of the Pareto front come before all others, in the order of ``pareto.by_coverage``.
    """
    config = study.config
    sign = 1 if config.minimizes else -1

    def order(trial: FrozenTrial) -> tuple[float, float, int]:
        rows = RunDirectory(study.directory / FOLDERS["search"] / str(trial.number)).epochs()
        nll = rows[-1].metrics.get("validation/nll", math.inf) if rows else math.inf
        return sign * trial.values[0], nll, trial.number

    complete = sorted(
        (trial for trial in study.store.trials("search") if trial.state == TrialState.COMPLETE), key=order
    )
    return complete if len(config.directions) == 1 else _front_first(config, complete)


def confirmation_order(study: OpenStudy) -> list[tuple[FrozenTrial, float | None]]:
    """Returns completed search trials with their posterior means, in the order in which they are selected.

    The best of many noisy values is mostly lucky. ``confirm.choose_by: posterior_mean`` therefore fits a Gaussian
    process to all completed trials and orders them by posterior mean. With fewer than 16 trials the estimate is too
    uncertain, and with two objectives there is no single best: then the rank decides, and the means are None.
    """
    trials = ranked(study)
    means = _posterior_means(study.config, trials)
    if means is None:
        return [(trial, None) for trial in trials]
    order = np.argsort(means if study.config.minimizes else -means, kind="stable")
    return [(trials[index], float(means[index])) for index in order]


def _front_first(config: StudyConfig, trials: list[FrozenTrial]) -> list[FrozenTrial]:
    if not trials:
        return []
    signs = [1 if direction == StudyDirection.MINIMIZE else -1 for direction in config.directions]
    front = pareto.by_coverage(np.array([trial.values for trial in trials]) * signs)
    return [*(trials[index] for index in front), *(t for index, t in enumerate(trials) if index not in front)]


def _posterior_means(config: StudyConfig, trials: list[FrozenTrial]) -> NDArray[np.float64] | None:
    if config.confirm.choose_by == "rank" or len(config.directions) > 1 or len(trials) < FEWEST_FOR_POSTERIOR:
        return None
    points = positions(config.space(), [trial.params for trial in trials])
    if points.shape[1] == 0:
        return None
    return np.array(_means(tuple(map(tuple, points.tolist())), tuple(trial.values[0] for trial in trials)))


@lru_cache(maxsize=4)
def _means(points: tuple[tuple[float, ...], ...], values: tuple[float, ...]) -> tuple[float, ...]:
    from analysis.statistics import surface  # loads scikit-learn

    where = np.array(points)
    return tuple(surface.estimate(where, np.array(values), where).mean.tolist())
