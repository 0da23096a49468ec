"""Base classes of the phases, and the search and control phases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from optuna.study import StudyDirection
from optuna.trial import TrialState

from study.phases.limits import early_end
from study.search.halving import ladder_of, without_promotions
from study.search.sampling import suggest
from study.state import run_collection
from study.state.attribute_names import TrialAttribute
from study.state.optuna_store import FOLDERS
from trainables.runs.assignment import Assignment
from trainables.runs.run_key import PhaseName

if TYPE_CHECKING:
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from study.state.directory import OpenStudy
    from trainables.config import TrainConfig


class Phase(ABC):
    """A phase of a study: the trials that it needs and their runs.

    Args:
        study: An open study.
    """

    name: PhaseName

    def __init__(self, study: OpenStudy) -> None:
        self.study = study
        self.config = study.config
        self.store = study.store

    @abstractmethod
    def planned(self) -> int:
        """Number of trials that the phase will have."""

    @abstractmethod
    def upcoming(self) -> int:
        """Number of runs that start next and belong together; 0 if none can start."""

    @abstractmethod
    def start_next(self) -> FrozenTrial | None:
        """Adds the next trial to the database; returns None if there is none, or none yet."""

    @abstractmethod
    def run_config(self, trial: FrozenTrial) -> TrainConfig:
        """Returns the configuration of a trial's run."""

    def assignment(self, trial: FrozenTrial) -> Assignment:
        """Returns the run of a trial at its current attempt, without access to the test set."""
        hours = self.config.resources.epoch_hours
        return Assignment(
            self.name,
            trial.number,
            trial.user_attrs[TrialAttribute.ATTEMPT],
            self.run_config(trial),
            self.run_directory(trial.number),
            patience_seconds=None if hours is None else 3600 * hours,
            objects=self._objects(trial.number),
        )

    def state_of_finished(self, trial: FrozenTrial) -> TrialState:
        """Returns the final state of a trial whose run has finished."""
        del trial
        return TrialState.COMPLETE

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the metrics that are a trial's values."""
        return self.config.search.objectives

    def _objects(self, number: int) -> str | None:
        """Returns the address of a run's files in the object store; None if runs share the study directory."""
        return run_collection.run_uri(self.config.artifacts, self.config.name, self.store, self.name, number)

    def is_open(self) -> bool:
        """Whether trials are running or more will start."""
        return bool(self.store.running(self.name)) or len(self.store.trials(self.name)) < self.planned()

    def epochs_to_begin(self) -> int:
        """Approximate number of epochs of the trials that have not started."""
        return max(self.planned() - len(self.store.trials(self.name)), 0) * self.config.training.epochs

    def run_directory(self, number: int) -> Path:
        """Returns the folder of a trial's run."""
        return self.study.directory / FOLDERS[self.name] / str(number)


class SeededPhase(Phase):
    """Runs several configurations with the same fresh seeds, one seed after the other."""

    @abstractmethod
    def _missing(self) -> list[tuple[str, int]]:
        """Returns labels and seeds of the runs that can start, in this order."""

    def upcoming(self) -> int:
        """Number of missing runs of the next seed; they belong together because arms are compared seed by seed."""
        missing = self._missing()
        return sum(seed == missing[0][1] for _, seed in missing)

    def start_next(self) -> FrozenTrial | None:
        """Adds the trial of the next configuration and seed; returns None if there is none."""
        missing = self._missing()
        if not missing:
            return None
        label, seed = missing[0]
        return self.store.begin(self.name, {}, {}, {TrialAttribute.ARM: label, TrialAttribute.SEED: seed})


class ControlPhase(Phase):
    """Runs the controls, fixed configurations beside the search."""

    name: PhaseName = "controls"

    def planned(self) -> int:
        """Number of controls."""
        return len(self.config.controls)

    def upcoming(self) -> int:
        """1 if a control is missing, else 0."""
        return int(len(self.store.trials(self.name)) < self.planned())

    def start_next(self) -> FrozenTrial | None:
        """Adds the next control; returns None if there is none."""
        return self.store.begin(self.name, {}, {}, {}) if self.upcoming() else None

    def run_config(self, trial: FrozenTrial) -> TrainConfig:
        """Returns the configuration of a control."""
        return self.config.control_config(trial.number)


class SearchPhase(Phase):
    """Runs the trials that the sampler suggests.

    Args:
        trials: Number of points; in a discrete space at most its number of cells. The scheduler ``halving`` adds a
            trial for each promotion of a point to a longer schedule.
    """

    name: PhaseName = "search"

    def __init__(self, study: OpenStudy, trials: int) -> None:
        super().__init__(study)
        self._space = study.config.space()
        self._points = study.config.planned_trials(trials)
        self._ladder = ladder_of(study.config)

    def planned(self) -> int:
        """Number of points, at most the cells of the space, plus promotions; the actual number after an early end."""
        ended = early_end(self.store, self.name)
        return sum(self._ladder.counts(self._points, self.store.trials(self.name))) if ended is None else ended.runs

    def upcoming(self) -> int:
        """1 if a trial is missing, else 0."""
        return int(len(self.store.trials(self.name)) < self.planned())

    def start_next(self) -> FrozenTrial | None:
        """Adds a trial: of a promoted point if there is one, else of a point that the sampler suggests."""
        trials = self.store.trials(self.name)
        if not self.upcoming():
            return None
        promoted = self._ladder.promotion(self._points, trials)
        if promoted is not None:
            parent, epochs = promoted
            attributes = {TrialAttribute.EPOCHS: epochs, TrialAttribute.PROMOTED_FROM: parent.number}
            return self._begin(parent.params, attributes)
        point = self._point(trials)
        shortest = self._ladder.lengths[0]
        attributes = {} if shortest == self.config.training.epochs else {TrialAttribute.EPOCHS: shortest}
        return None if point is None else self._begin(point, attributes)

    def _begin(self, point: dict[str, Any], attributes: dict[TrialAttribute, int]) -> FrozenTrial:
        return self.store.begin(self.name, point, self._space, attributes)

    def _point(self, trials: list[FrozenTrial]) -> dict[str, Any] | None:
        search, points = self.config.search, len(without_promotions(trials))
        if points >= self._points:
            return None  # only promotions are left, and they wait for short runs to end
        if points < len(search.first):
            return dict(search.first[points])
        return suggest(
            self._space,
            trials,
            sampler=search.sampler.name,
            seed=search.sampler.seed,
            minimizes=[direction == StudyDirection.MINIMIZE for direction in self.config.directions],
            planned=self._points,
        )

    def run_config(self, trial: FrozenTrial) -> TrainConfig:
        """Returns the configuration of a search trial."""
        return self.config.search_config(trial.params, trial.number, trial.user_attrs.get(TrialAttribute.EPOCHS))

    def epochs_to_begin(self) -> int:
        """Approximate number of epochs of the trials that have not started; compressed schedules have fewer epochs."""
        if len(self._ladder.lengths) == 1 or early_end(self.store, self.name) is not None:
            return super().epochs_to_begin()
        return self._ladder.epochs_to_begin(self._points, self.store.trials(self.name))

    def state_of_finished(self, trial: FrozenTrial) -> TrialState:
        """Returns COMPLETE after a full schedule, PRUNED after a compressed one."""
        whole = trial.user_attrs.get(TrialAttribute.EPOCHS, self.config.training.epochs) == self.config.training.epochs
        return TrialState.COMPLETE if whole else TrialState.PRUNED
