"""Measures the time that a study has used and estimates that of another run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from study.state.attribute_names import StudyAttribute, TrialAttribute
from study.state.optuna_store import FOLDERS, PHASES
from trainables.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from study.state.directory import OpenStudy
    from trainables.runs.run_key import PhaseName


class Spending:
    """Counts the wall time of a study's drivers and the training time of its runs, in seconds.

    Args:
        study: An open study; its database also stores the drivers' time.
    """

    def __init__(self, study: OpenStudy) -> None:
        self._store = study.store
        self._directory = study.directory
        self._epochs_per_run = study.config.training.epochs
        self._gpus = study.config.resources.gpus_per_trial
        self._before = float(study.store.attribute(StudyAttribute.DRIVER_SECONDS) or 0.0)
        self._begun = time.monotonic()
        self._ended: dict[tuple[PhaseName, int], tuple[int, float]] = {}

    def wall_seconds(self) -> float:
        """Returns the wall time of all drivers; the time between a kill and the resume does not count."""
        return self._before + time.monotonic() - self._begun

    def note(self) -> None:
        """Stores the wall time for the next driver."""
        self._store.set_study_attribute(StudyAttribute.DRIVER_SECONDS, self.wall_seconds())

    def device_seconds(self) -> float:
        """Returns the device time of all runs, including the rest of running ones; half a GPU counts by half."""
        epoch, total = self._epoch_seconds(), 0.0
        for phase in PHASES:
            for trial in self._store.trials(phase):
                epochs, seconds = self._cost_of(phase, trial)
                whole = trial.user_attrs.get(TrialAttribute.EPOCHS, self._epochs_per_run)
                remaining = 0 if trial.state.is_finished() else max(whole - epochs, 0)
                total += seconds + remaining * epoch
        return self._share() * total

    def run_seconds(self) -> float:
        """Estimates the training time of a full run from the epochs so far; 0 before the first."""
        return self._epochs_per_run * self._epoch_seconds()

    def run_device_seconds(self) -> float:
        """Estimates the device time of a full run, counted as in ``device_seconds``."""
        return self._share() * self.run_seconds()

    def _share(self) -> float:
        """Returns the share of a device per run, configured or measured; at most 1."""
        return min(self._gpus or self._store.attribute(StudyAttribute.GPU_SHARE) or 1.0, 1.0)

    def _epoch_seconds(self) -> float:
        runs = [self._cost_of(phase, trial) for phase in PHASES for trial in self._store.trials(phase)]
        epochs = sum(run[0] for run in runs)
        return sum(run[1] for run in runs) / epochs if epochs else 0.0

    def _cost_of(self, phase: PhaseName, trial: FrozenTrial) -> tuple[int, float]:
        """Returns epochs and seconds of a run; those of ended runs are cached."""
        key = (phase, trial.number)
        if key not in self._ended:
            run = RunDirectory(self._directory / FOLDERS[phase] / str(trial.number))
            found = run.epochs_trained(), run.device_seconds()
            if not trial.state.is_finished():
                return found
            self._ended[key] = found
        return self._ended[key]
