"""What a study has cost so far, and what another run will."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from study.state.attribute_names import StudyAttribute, TrialAttribute
from study.state.optuna_store import FOLDERS, PHASES
from trainables.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from study.definition.study_config import StudyConfig
    from study.state.optuna_store import Store
    from trainables.runs.run_key import PhaseName


class Spending:
    """Counts the time of all drivers of a study, and the training time of its runs.

    Args:
        config: The study.
        store: Its trials; keeps the drivers' time.
        directory: The study directory.
    """

    def __init__(self, config: StudyConfig, store: Store, directory: Path) -> None:
        self._store = store
        self._directory = directory
        self._epochs_a_run = config.training.epochs
        self._gpus = config.resources.gpus_per_trial
        self._before = float(store.attribute(StudyAttribute.DRIVER_SECONDS) or 0.0)
        self._begun = time.monotonic()
        self._ended: dict[tuple[PhaseName, int], tuple[int, float]] = {}

    def wall_seconds(self) -> float:
        """Time of all drivers; what passes between a kill and the resume does not count."""
        return self._before + time.monotonic() - self._begun

    def note(self) -> None:
        """Keeps the time for the next driver."""
        self._store.set_study_attribute(StudyAttribute.DRIVER_SECONDS, self.wall_seconds())

    def device_seconds(self) -> float:
        """Training time of all runs when those that run now will have ended; a run on half a GPU counts by half."""
        epoch, total = self._epoch_seconds(), 0.0
        for phase in PHASES:
            for trial in self._store.trials(phase):
                epochs, seconds = self._of(phase, trial)
                whole = trial.user_attrs.get(TrialAttribute.EPOCHS, self._epochs_a_run)
                missing = 0 if trial.state.is_finished() else max(whole - epochs, 0)
                total += seconds + missing * epoch
        return self._share() * total

    def run_seconds(self) -> float:
        """Training time of a whole run, by the epochs so far; 0 before the first."""
        return self._epochs_a_run * self._epoch_seconds()

    def run_device_seconds(self) -> float:
        """The same as ``device_seconds`` counts it."""
        return self._share() * self.run_seconds()

    def _share(self) -> float:
        """The part of a device that a run has, as the user says or as it was measured."""
        return min(self._gpus or self._store.attribute(StudyAttribute.GPU_SHARE) or 1.0, 1.0)

    def _epoch_seconds(self) -> float:
        runs = [self._of(phase, trial) for phase in PHASES for trial in self._store.trials(phase)]
        epochs = sum(run[0] for run in runs)
        return sum(run[1] for run in runs) / epochs if epochs else 0.0

    def _of(self, phase: PhaseName, trial: FrozenTrial) -> tuple[int, float]:
        """Epochs and seconds of a run; those of an ended one are read once."""
        key = (phase, trial.number)
        if key not in self._ended:
            run = RunDirectory(self._directory / FOLDERS[phase] / str(trial.number))
            found = run.epochs_trained(), run.device_seconds()
            if not trial.state.is_finished():
                return found
            self._ended[key] = found
        return self._ended[key]
