"""What each sampler would like to try next; ``study.search.sampling`` sees to it that no cell is tried twice."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from search_spaces import space as spaces
from study.search.unit_cube import point_at, sobol

if TYPE_CHECKING:
    from optuna.study import Study

STARTUP_TRIALS = 8  # a whole power of two, for Sobol's sake; two for each of four parameters
LEAST_KNOWN = 4
POPULATION = 8


@dataclass(frozen=True)
class Question:
    """What a sampler is asked.

    Attributes:
        space: What varies.
        trials: All trials so far, by number.
        seed: Of the study's sampler.
        number: Of the trial to come.
        minimizes: For each objective, whether smaller is better.
    """

    space: spaces.Space
    trials: Sequence[FrozenTrial]
    seed: int
    number: int
    minimizes: Sequence[bool]


def even(question: Question) -> dict[str, Any]:
    """Point ``number`` of the study's Sobol sequence."""
    return sobol(question.space, _seed(question.seed), question.number)


def random(question: Question) -> dict[str, Any]:
    """A point drawn uniformly from those that no trial has."""
    rng = np.random.default_rng([question.seed, question.number])
    taken = {spaces.key(trial.params) for trial in question.trials}
    while True:
        point = point_at(question.space, rng.random(len(question.space)))
        if spaces.key(point) not in taken:
            return point


def gp(question: Question) -> dict[str, Any]:
    """The point of the largest expected improvement under a Gaussian process, running trials being dreamt of.

    It sees the values as they are: ranks in their place made the winner of 32 trials on the recorded surface worse by
    0.3 points of error, for among good settings they take noise for differences.
    """
    return _adaptive(question, GPSampler(seed=_seed_of(question), n_startup_trials=1, deterministic_objective=False))


def tpe(question: Question) -> dict[str, Any]:
    """The likeliest point among good trials against all others, running ones counting as bad."""
    sampler = TPESampler(
        seed=_seed_of(question),
        n_startup_trials=1,
        n_ei_candidates=24,
        multivariate=len(question.minimizes) == 1,
        group=False,
        constant_liar=True,
    )
    return _adaptive(question, sampler)


def nsgaii(question: Question) -> dict[str, Any]:
    """A child of two good trials."""
    sampler = _Generations(
        seed=_seed_of(question),
        population_size=POPULATION,
        mutation_prob=None,
        crossover_prob=0.9,
        swapping_prob=0.5,
    )
    return _adaptive(question, sampler)


PROPOSALS: Mapping[str, Callable[[Question], dict[str, Any]]] = {
    "gp": gp,
    "tpe": tpe,
    "nsgaii": nsgaii,
    "random": random,
    "qmc": even,
    "grid": even,
}


class _Generations(NSGAIISampler):
    """Generations by number: Optuna notes them in its storage when it is asked, so they would depend on times."""

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:
        del study
        return trial.number // POPULATION

    def get_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [trial for trial in complete if self.get_trial_generation(study, trial) == generation]


def _adaptive(question: Question, sampler: BaseSampler) -> dict[str, Any]:
    """Asks Optuna once enough trials have ended; the first ones fill the space evenly."""
    known = [trial for trial in question.trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    if question.number < STARTUP_TRIALS or len(known) < LEAST_KNOWN:
        return even(question)
    directions = [StudyDirection.MINIMIZE if smaller else StudyDirection.MAXIMIZE for smaller in question.minimizes]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(directions=directions, sampler=sampler)
        study.add_trials(_without_failures(question))
        return dict(study.ask(question.space).params)


def _without_failures(question: Question) -> list[FrozenTrial]:
    """The trials, where one that failed counts as bad as the worst that completed: else it would be tried nearby."""
    values = [trial.values for trial in question.trials if trial.state == TrialState.COMPLETE]
    if not values:
        return list(question.trials)
    columns = zip(question.minimizes, zip(*values, strict=True), strict=True)
    worst = [max(column) if smaller else min(column) for smaller, column in columns]
    return [
        create_trial(values=worst, params=trial.params, distributions=trial.distributions)
        if trial.state == TrialState.FAIL
        else trial
        for trial in question.trials
    ]


def _seed_of(question: Question) -> int:
    return _seed(question.seed, question.number)


def _seed(*entropy: int) -> int:
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
