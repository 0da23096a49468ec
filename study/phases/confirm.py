"""Confirmation: trains finalists and controls with fresh seeds; the only phase that reads the test set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from study.phases.finalists import arm_from, controls, finalists
from study.phases.limits import early_end
from study.phases.phase import Phase, SeededPhase
from study.state.ledger import FILE_NAME, LedgeredAccess
from study.state.optuna_store import arm_and_seed
from trainables.runs.run_key import PhaseName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from study.state.directory import OpenStudy
    from trainables.config import TrainConfig
    from trainables.runs.assignment import Assignment


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
