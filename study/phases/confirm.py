"""Confirmation: trains finalists and controls with fresh seeds; the only phase that reads the test set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from study.phases.limits import early_end
from study.phases.phase import Phase, SeededPhase
from study.phases.race import race_state, seeds_of
from study.search.ranking import confirmation_order
from study.state.ledger import FILE_NAME, LedgeredAccess
from study.state.optuna_store import arm_and_seed
from trainables.runs.run_key import PhaseName, RunKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from study.state.directory import OpenStudy
    from trainables.config import TrainConfig
    from trainables.runs.assignment import Assignment


@dataclass(frozen=True)
class ConfirmedArm:
    """A configuration to confirm: a finalist of the search or a control.

    Attributes:
        phase: Phase of its trial, ``search`` or ``controls``.
        trial: Number of its trial in that phase.
        config: Configuration of that trial's run, with the search's seed and split.
        value: Objective of that trial on validation data.
        posterior_mean: Posterior mean of the value given all search trials, if the choice was made by it; else None.
        race_mean: Mean over the fresh seeds of the race; None without a race.
    """

    phase: PhaseName
    trial: int
    config: TrainConfig
    value: float
    posterior_mean: float | None = None
    race_mean: float | None = None

    @property
    def label(self) -> str:
        """Phase and number, such as ``search/7``."""
        return str(RunKey(self.phase, self.trial))


def finalists(study: OpenStudy) -> list[ConfirmedArm]:
    """Returns the best search trials, or the leaders of the race if there is one, best first.

    The first is the winner; it is selected before the test set is read.
    """
    best = confirmation_order(study)
    race_means = _race_means(study)
    if race_means:
        by_label = {str(RunKey("search", trial.number)): (trial, mean) for trial, mean in best}
        best = [by_label[label] for label in race_means]
    return [
        ConfirmedArm(
            "search",
            trial.number,
            study.config.search_config(trial.params, trial.number),
            trial.values[0],
            mean,
            race_means.get(str(RunKey("search", trial.number))),
        )
        for trial, mean in best[: study.config.confirm.finalists]
    ]


def _race_means(study: OpenStudy) -> dict[str, float | None]:
    """Returns the race's means by label, best first; empty before the first complete round or without a race."""
    race, rule = race_state(study), study.config.confirm.race
    if race is None or rule is None or not race.standing.rounds:
        return {}
    seeds = seeds_of(study.config, rule)
    return {label: race.mean(label, seeds) for label in race.standing.order}


def controls(study: OpenStudy) -> list[ConfirmedArm]:
    """Returns the completed controls."""
    complete = [trial for trial in study.store.trials("controls") if trial.state == TrialState.COMPLETE]
    return [_control(study, trial) for trial in complete]


def arm_from(study: OpenStudy, label: str) -> ConfirmedArm:
    """Returns the arm with a label such as ``search/7``."""
    key = RunKey.parse(label)
    trial = study.store.trials(key.phase)[key.number]
    if key.phase == "search":
        return ConfirmedArm(
            "search", trial.number, study.config.search_config(trial.params, trial.number), trial.values[0]
        )
    return _control(study, trial)


def _control(study: OpenStudy, trial: FrozenTrial) -> ConfirmedArm:
    return ConfirmedArm("controls", trial.number, study.config.control_config(trial.number), trial.values[0])


class ConfirmPhase(SeededPhase):
    """Runs of finalists and controls with the confirmation seeds.

    Args:
        preceding: Phases that must end first: controls, search and race.
    """

    name: PhaseName = "confirm"

    def __init__(self, study: OpenStudy, preceding: Sequence[Phase] = ()) -> None:
        super().__init__(study)
        self._preceding = preceding

    def planned(self) -> int:
        """Number of arms times number of seeds; an estimate until the preceding phases have ended."""
        if self._waits():
            arms = self.config.confirm.finalists + len(self.config.controls)
            return arms * len(self.config.confirm.seeds)
        ended = early_end(self.store, self.name)
        return len({*self._started(), *self._wanted()}) if ended is None else ended.runs

    def run_config(self, trial: FrozenTrial) -> TrainConfig:
        """Returns the configuration of an arm with a confirmation seed."""
        label, seed = arm_and_seed(trial)
        update = {"seed": seed, "train_on": self.config.confirm.train_on}
        return arm_from(self.study, label).config.model_copy(update=update)

    def assignment(self, trial: FrozenTrial) -> Assignment:
        """Returns the run of a trial at its current attempt, with access to the test set."""
        found = super().assignment(trial)
        label, seed = arm_and_seed(trial)
        access = LedgeredAccess(
            self.study.directory / FILE_NAME,
            self.config.name,
            trial.number,
            found.attempt,
            label,
            found.config.digest(),
            seed,
            found.objects,
        )
        return replace(found, access=access, test_each_epoch=self.config.confirm.test_each_epoch)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The study's metrics, on the test set."""
        return tuple(name.replace("validation/", "test/", 1) for name in self.config.search.objectives)

    def _waits(self) -> bool:
        return any(phase.is_open() for phase in self._preceding)

    def _missing(self) -> list[tuple[str, int]]:
        if self._waits() or early_end(self.store, self.name) is not None:
            return []
        started = self._started()
        return [pair for pair in self._wanted() if pair not in started]

    def _started(self) -> set[tuple[str, int]]:
        return {arm_and_seed(trial) for trial in self.store.trials(self.name)}

    def _wanted(self) -> list[tuple[str, int]]:
        best = finalists(self.study)
        if not best:
            return []
        arms = [*best, *controls(self.study)]
        return [(arm.label, seed) for seed in self.config.confirm.seeds for arm in arms]
