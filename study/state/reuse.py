"""Reuses finished runs of other studies in the same storage folder instead of training them again.

A run is determined by its configuration (with split and seed), its data and the code, so the same run of another study
has the same values. In particular, the cross-entropy control that all studies of a data set share is trained once. The
run is copied completely, with the name of its source, so that the study does not depend on the source.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from study.state import provenance
from study.state.attribute_names import StudyAttribute, TrialAttribute
from study.state.directory import open_study, studies_in
from study.state.optuna_store import FOLDERS
from trainables.errors import CskdError
from trainables.files.faultpoints import faultpoint
from trainables.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from study.state.directory import OpenStudy
    from trainables.config import TrainConfig
    from trainables.runs.assignment import Assignment
    from trainables.runs.run_directory import EpochRow
    from trainables.runs.run_key import PhaseName

REUSED_PHASES: tuple[PhaseName, ...] = ("controls", "search")


@dataclass(frozen=True)
class _Source:
    """Run that another study finished.

    Attributes:
        label: Study, phase and number, such as ``first/controls/0``.
        directory: Directory of the run.
        values: Values of the last epoch in the other study's database.
    """

    label: str
    directory: Path
    values: Mapping[str, float]

    def rows(self, epochs: int) -> list[EpochRow] | None:
        """Returns all epochs, or None if they are damaged, missing, or of a run with another number of epochs."""
        run = RunDirectory(self.directory)
        rows, outcome = run.epochs(), run.outcome()
        if outcome is None or outcome.state != "finished" or len(rows) != epochs:
            return None
        last = rows[-1].metrics
        agree = last == outcome.metrics and all(last.get(name) == value for name, value in self.values.items())
        return rows if agree else None


class Reuse:
    """Finished runs of the other studies in a storage folder, read once at the first use.

    Studies that were continued with other code or data are excluded. So are runs with user-defined parts, whose code no
    digest covers.

    Args:
        study: Study that reuses runs; with ``search.reuse: false`` it reuses none.
    """

    def __init__(self, study: OpenStudy) -> None:
        self._study = study
        self._code = provenance.code_digest()

    def copy_finished_run(self, trial: FrozenTrial, assignment: Assignment) -> str | None:
        """Copies the same run of another study, if there is one, into a run that has not started.

        Args:
            trial: Trial without a final state.
            assignment: Run of the trial.

        Returns:
            Label of the source, such as ``first/controls/0``, or None if the run must be trained.

        Raises:
            OSError: The disk is full.
        """
        if assignment.phase not in REUSED_PHASES or assignment.directory.exists():
            return None
        for source in self._known.get(assignment.config.digest(), ()):
            rows = source.rows(assignment.config.training.epochs)
            if rows is not None and all(name in rows[-1].metrics for name in self._study.config.search.objectives):
                self._report_rungs(trial, assignment, rows)
                label = RunDirectory(source.directory).source() or source.label
                RunDirectory(assignment.directory).reuse(rows, assignment.attempt, label)
                faultpoint("reuse: in place, not told")
                return label
        return None

    def _report_rungs(self, trial: FrozenTrial, assignment: Assignment, rows: list[EpochRow]) -> None:
        """Stores the values at the scheduler's rungs, with which it compares other trials."""
        if assignment.phase == "search":
            for rung in self._study.config.search.scheduler.rungs(assignment.config.training):
                self._study.store.report(trial, rung, rows[rung - 1].metrics[self._study.config.objective])

    @cached_property
    def _known(self) -> dict[str, list[_Source]]:
        """Finished runs of other studies, by digest of their configuration."""
        found: dict[str, list[_Source]] = {}
        if not (self._study.config.search.reuse and self._has_same_code(self._study.directory)):
            return found
        for directory in studies_in(self._study.directory.parent):
            if directory != self._study.directory and self._has_same_code(directory):
                with contextlib.suppress(CskdError, OSError):  # a damaged study must not stop this one
                    for config, source in self._finished(directory):
                        found.setdefault(config.digest(), []).append(source)
        return found

    def _has_same_code(self, directory: Path) -> bool:
        """Returns whether all drivers of a study had this code and none allowed changed data."""
        notes = provenance.notes(directory)
        return (
            bool(notes)
            and not provenance.is_damaged(directory)
            and all(note["digests"]["code"] == self._code and set(note["allowed"]) <= {"code"} for note in notes)
        )

    def _finished(self, directory: Path) -> Iterator[tuple[TrainConfig, _Source]]:
        with open_study(directory) as other:
            if _data_of(other) is None or _data_of(other) != _data_of(self._study):
                return
            for phase in REUSED_PHASES:
                for trial in other.store.trials(phase):
                    config = _config_of(other, phase, trial)
                    if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and _has_built_in_parts_only(config):
                        yield config, _source_of(other, phase, trial)


def difference(run: RunDirectory, storage: Path) -> str | None:
    """Returns how a reused run differs from its source; None if it does not differ or the source is missing.

    Args:
        run: Any run.
        storage: Folder of all studies.
    """
    name, _, key = (run.source() or "").partition("/")
    phase, _, number = key.partition("/")
    if phase not in FOLDERS:
        return None
    source = RunDirectory(storage / name / FOLDERS[phase] / number).epochs()
    for own, original in zip(run.epochs(), source, strict=False):
        if own.time == original.time and own.metrics != original.metrics:  # another time means another run
            return f"epoch {own.epoch} differs from {run.source()}, from which it was copied"
    return None


def _data_of(study: OpenStudy) -> tuple[str, str] | None:
    data, split = study.store.attribute(StudyAttribute.DATA_DIGEST), study.store.attribute(StudyAttribute.SPLIT_DIGEST)
    return None if data is None or split is None else (data, split)


def _config_of(study: OpenStudy, phase: PhaseName, trial: FrozenTrial) -> TrainConfig:
    if phase == "controls":
        return study.config.control_config(trial.number)
    return study.config.search_config(trial.params, trial.number, trial.user_attrs.get(TrialAttribute.EPOCHS))


def _source_of(study: OpenStudy, phase: PhaseName, trial: FrozenTrial) -> _Source:
    directory = study.directory / FOLDERS[phase] / str(trial.number)
    values = dict(zip(study.config.search.objectives, trial.values or (), strict=False))
    return _Source(f"{study.config.name}/{phase}/{trial.number}", directory, values)


def _has_built_in_parts_only(config: TrainConfig) -> bool:
    """Returns whether no part is user-defined, that is, named ``module:Class``."""
    return not any(":" in part.part_name() for part in (config.dataset, config.model, config.method))
