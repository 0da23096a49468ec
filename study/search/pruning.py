"""Early stopping of search trials: compares each trial at its rungs with the values of the other trials there.

Independent of Ray. The values at the rungs are stored in the study's database as Optuna's intermediate values, and the
rules are functions of them, so a resumed study decides like an uninterrupted one. Optuna's own pruners are less
suitable: its median rule counts completed trials only, which have survived earlier stops, so it becomes ever stricter;
its successive halving keeps state that depends on the order of the reports.
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

    from optuna.trial import FrozenTrial

    from study.definition.sections import Scheduler
    from study.state.directory import OpenStudy


class Rule(NamedTuple):
    """A rule of early stopping.

    Attributes:
        keeps: Function that decides from a value and the others' values at a rung, smaller is better, whether a trial
            continues.
        counts_stopped: Whether trials stopped at an earlier rung count, with their value there.
    """

    keeps: Callable[[float, Sequence[float], Scheduler], bool]
    counts_stopped: bool


def is_kept_by_halving(value: float, others: Sequence[float], scheduler: Scheduler) -> bool:
    """Whether a trial is among the best ``1 / reduction`` at its rung, rounded up, including itself.

    Asynchronous successive halving in its stopping form: trials are never paused to wait for others (Li et al. 2020, "A
    system for massively parallel hyperparameter tuning", algorithm 2 without its promotions).
    """
    better = sum(other < value for other in others)
    return better < math.ceil((len(others) + 1) / scheduler.reduction)


def is_kept_by_median(value: float, others: Sequence[float], scheduler: Scheduler) -> bool:
    """Whether a trial is no worse than the median of the others (Golovin et al. 2017, "Google Vizier", section 3.2).

    Stopped trials count, so that half of all trials continue at each rung.
    """
    del scheduler
    return not others or value <= median(others)  # with min_trials 1 there may be no others


RULES: Mapping[str, Rule] = {
    "asha": Rule(is_kept_by_halving, counts_stopped=False),
    "median": Rule(is_kept_by_median, counts_stopped=True),
}


def is_kept(value: float, others: Sequence[float], scheduler: Scheduler) -> bool:
    """Whether a trial continues after a rung.

    Args:
        value: Objective of the trial at the rung; smaller is better.
        others: Values of the other trials that count at the rung.
        scheduler: Scheduler section of the study, with a name in ``RULES``.
    """
    return len(others) + 1 < scheduler.min_trials or RULES[scheduler.name].keeps(value, others, scheduler)


def pruner_of(study: OpenStudy) -> Pruner | None:
    """Returns the pruner of a study; None if its scheduler does not stop runs."""
    return None if study.config.search.scheduler.name not in RULES else Pruner(study)


class Pruner:
    """Decides which search trials of a study stop early.

    Args:
        study: An open study with a scheduler in ``RULES``.
    """

    def __init__(self, study: OpenStudy) -> None:
        config = study.config
        self._scheduler = config.search.scheduler
        self._rungs = self._scheduler.rungs(config.training)
        self._objective = config.objective
        self._sign = 1 if config.minimizes else -1
        self._store = study.store
        self._runs = study.directory / FOLDERS["search"]
        self._judged: dict[int, int] = {}

    def stops(self, number: int, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Whether a trial is to be pruned after an epoch; each trial is judged once per rung.

        A trial that passed a rung unjudged, because its driver died, is judged at its next report.

        Args:
            number: Number of the search trial.
            epoch: Epoch that it finished.
            metrics: Metrics of this epoch.
        """
        rung = max((rung for rung in self._rungs if rung <= epoch), default=0)
        if rung <= self._judged.get(number, 0):
            return False
        self._judged[number] = rung
        trials = self._store.trials("search")
        if rung in trials[number].intermediate_values:  # judged by an earlier driver
            return False
        value = metrics.get(self._objective) if rung == epoch else self._recorded(number, rung)
        return value is not None and self._verdict(trials, number, epoch, rung, value)

    def _verdict(self, trials: Sequence[FrozenTrial], number: int, epoch: int, rung: int, value: float) -> bool:
        others = [self._value_of(trial, rung) for trial in trials if trial.number != number]
        known = [self._sign * other for other in others if other is not None]
        kept = is_kept(self._sign * value, known, self._scheduler)
        if kept or epoch > rung:  # the value of a trial pruned at the rung is stored when it ends
            self._store.report(trials[number], rung, value)
        return not kept

    def _value_of(self, trial: FrozenTrial, rung: int) -> float | None:
        """Returns the value with which a trial counts at a rung; None if it does not count."""
        stopped = trial.state == TrialState.PRUNED and RULES[self._scheduler.name].counts_stopped
        return trial.intermediate_values.get(rung, trial.value if stopped else None)

    def _recorded(self, number: int, rung: int) -> float | None:
        rows = RunDirectory(self._runs / str(number)).epochs()
        return next((row.metrics.get(self._objective) for row in rows if row.epoch == rung), None)
