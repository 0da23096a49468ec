"""Which search trials are stopped early: each is judged at its rungs by what all trials reached there.

Knows no Ray. The values at the rungs are in the study's storage, as Optuna's intermediate values, and the rules are
functions of them, so that a resumed study decides as the unbroken one. Optuna's own pruners fit less well: its median
is that of completed trials only, which are the survivors of earlier stops and so ever harder to reach, and its
successive halving keeps notes of its own, in the order in which trials happened to report.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from optuna.trial import TrialState

from study.state.optuna_store import FOLDERS
from trainables.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from study.definition.sections import Scheduler
    from study.definition.study_config import StudyConfig
    from study.state.optuna_store import Store


class Rule(NamedTuple):
    """How trials are judged at a rung.

    Attributes:
        keeps: Whether a trial with a value goes on beside the others' values, of which smaller is better.
        counts_stopped: Whether trials that were stopped at an earlier rung count, by the value that they had there.
    """

    keeps: Callable[[float, Sequence[float], Scheduler], bool]
    counts_stopped: bool


def is_kept_by_halving(value: float, others: Sequence[float], scheduler: Scheduler) -> bool:
    """Whether a trial is among the best ``1 / reduction`` at its rung, rounded up, itself counted.

    Asynchronous successive halving in its stopping form: a trial that goes on is never paused to wait for others (Li et
    al. 2020, "A system for massively parallel hyperparameter tuning", algorithm 2 without its promotions).
    """
    better = sum(other < value for other in others)
    return better < math.ceil((len(others) + 1) / scheduler.reduction)


def is_kept_by_median(value: float, others: Sequence[float], scheduler: Scheduler) -> bool:
    """Whether a trial is no worse than the median of the others (Golovin et al. 2017, "Google Vizier", section 3.2).

    Trials that were stopped count, so that half of all goes on however often they are judged.
    """
    del scheduler
    return not others or value <= median(others)  # with min_trials 1 the first is judged, too


RULES: Mapping[str, Rule] = {
    "asha": Rule(is_kept_by_halving, counts_stopped=False),
    "median": Rule(is_kept_by_median, counts_stopped=True),
}


def is_kept(value: float, others: Sequence[float], scheduler: Scheduler) -> bool:
    """Whether a trial goes on beyond a rung.

    Args:
        value: Of the objective there; smaller is better.
        others: Of the other trials that count there.
        scheduler: With one of ``RULES``.
    """
    return len(others) + 1 < scheduler.min_trials or RULES[scheduler.name].keeps(value, others, scheduler)


def pruner_of(config: StudyConfig, store: Store, directory: Path) -> Pruner | None:
    """What ends a study's search trials early; None where no scheduler stops runs."""
    return None if config.search.scheduler.name not in RULES else Pruner(config, store, directory)


class Pruner:
    """Judges the search trials of a study.

    Args:
        config: The study, with a scheduler.
        store: Its trials.
        directory: The study directory.
    """

    def __init__(self, config: StudyConfig, store: Store, directory: Path) -> None:
        self._scheduler = config.search.scheduler
        self._rungs = self._scheduler.rungs(config.training)
        self._objective = config.objective
        self._sign = 1 if config.minimizes else -1
        self._store = store
        self._runs = directory / FOLDERS["search"]
        self._judged: dict[int, int] = {}

    def stops(self, number: int, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Whether a trial ends here, to be told PRUNED; each trial is judged once at a rung.

        A trial that its driver left beyond a rung without a verdict is judged as soon as it reports again.

        Args:
            number: Of the search trial.
            epoch: That it finished.
            metrics: Of this epoch.
        """
        rung = max((rung for rung in self._rungs if rung <= epoch), default=0)
        if rung <= self._judged.get(number, 0):
            return False
        self._judged[number] = rung
        trials = self._store.trials("search")
        if rung in trials[number].intermediate_values:  # before an earlier driver ended
            return False
        value = metrics.get(self._objective) if rung == epoch else self._recorded(number, rung)
        return value is not None and self._verdict(trials, number, epoch, rung, value)

    def _verdict(self, trials: Sequence[FrozenTrial], number: int, epoch: int, rung: int, value: float) -> bool:
        others = [self._value_of(trial, rung) for trial in trials if trial.number != number]
        known = [self._sign * other for other in others if other is not None]
        kept = is_kept(self._sign * value, known, self._scheduler)
        if kept or epoch > rung:  # else the value is written with the trial's end
            self._store.report(trials[number], rung, value)
        return not kept

    def _value_of(self, trial: FrozenTrial, rung: int) -> float | None:
        """What a trial counts with at a rung; None where it does not count."""
        stopped = trial.state == TrialState.PRUNED and RULES[self._scheduler.name].counts_stopped
        return trial.intermediate_values.get(rung, trial.value if stopped else None)

    def _recorded(self, number: int, rung: int) -> float | None:
        rows = RunDirectory(self._runs / str(number)).epochs()
        return next((row.metrics.get(self._objective) for row in rows if row.epoch == rung), None)
