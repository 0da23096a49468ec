"""Finished runs of other studies below a storage folder, taken over instead of being trained once more.

A run follows from its configuration (with split and seed), its data and the code, so the same run of another study has
the same values. Above all the cross-entropy control, which the studies of a data set share, is trained once. A copy is
complete, so that the study stays whole when its source goes, and says where it comes from.
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

    from study.state.directory import Study
    from trainables.config import TrainConfig
    from trainables.runs.assignment import Assignment
    from trainables.runs.run_directory import EpochRow
    from trainables.runs.run_key import PhaseName

REUSED_PHASES: tuple[PhaseName, ...] = ("controls", "search")


@dataclass(frozen=True)
class _Source:
    """A run that another study finished.

    Attributes:
        label: Study, phase and number, such as ``first/controls/0``.
        directory: Of its files.
        values: What the other study's database says of its last epoch.
    """

    label: str
    directory: Path
    values: Mapping[str, float]

    def rows(self, epochs: int) -> list[EpochRow] | None:
        """All epochs; None where they are damaged, gone, or not those of a run of so many epochs."""
        run = RunDirectory(self.directory)
        rows, outcome = run.epochs(), run.outcome()
        if outcome is None or outcome.state != "finished" or len(rows) != epochs:
            return None
        last = rows[-1].metrics
        agree = last == outcome.metrics and all(last.get(name) == value for name, value in self.values.items())
        return rows if agree else None


class Reuse:
    """The finished runs of the studies beside one, as they were when it is first asked.

    Studies that went on with other code or data are left out, and parts of the user's own, whose code no digest covers.

    Args:
        study: Whose runs may be taken over; with ``search.reuse: false`` none is.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._code = provenance.code_digest()

    def takes_over(self, trial: FrozenTrial, assignment: Assignment) -> str | None:
        """Makes a run that has not begun a copy of the same one elsewhere, where there is one.

        Args:
            trial: Without a final state.
            assignment: Its run.

        Returns:
            Where the copy comes from; None where the run is to be trained.

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
        """Keeps what other trials are compared with where a scheduler judges them."""
        if assignment.phase == "search":
            for rung in self._study.config.search.scheduler.rungs(assignment.config.training):
                self._study.store.report(trial, rung, rows[rung - 1].metrics[self._study.config.objective])

    @cached_property
    def _known(self) -> dict[str, list[_Source]]:
        """Runs by the digest of their configuration."""
        found: dict[str, list[_Source]] = {}
        if not (self._study.config.search.reuse and self._is_of_one_code(self._study.directory)):
            return found
        for directory in studies_in(self._study.directory.parent):
            if directory != self._study.directory and self._is_of_one_code(directory):
                with contextlib.suppress(CskdError, OSError):  # another study's damage is not this one's
                    for config, source in self._finished(directory):
                        found.setdefault(config.digest(), []).append(source)
        return found

    def _is_of_one_code(self, directory: Path) -> bool:
        """Whether all drivers of a study had this code, and none let changed data pass."""
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
                    if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and _is_ours(config):
                        yield config, _source_of(other, phase, trial)


def difference(run: RunDirectory, storage: Path) -> str | None:
    """How a run that was taken over differs from its source; None where it does not, or where the source is gone.

    Args:
        run: Any run.
        storage: Folder of all studies.
    """
    name, _, place = (run.source() or "").partition("/")
    phase, _, number = place.partition("/")
    if phase not in FOLDERS:
        return None
    there = RunDirectory(storage / name / FOLDERS[phase] / number).epochs()
    for own, its in zip(run.epochs(), there, strict=False):
        if own.time == its.time and own.metrics != its.metrics:  # another time is another run of that name
            return f"epoch {own.epoch} is not what {run.source()} has, from which it was taken over"
    return None


def _data_of(study: Study) -> tuple[str, str] | None:
    data, split = study.store.attribute(StudyAttribute.DATA_DIGEST), study.store.attribute(StudyAttribute.SPLIT_DIGEST)
    return None if data is None or split is None else (data, split)


def _config_of(study: Study, phase: PhaseName, trial: FrozenTrial) -> TrainConfig:
    if phase == "controls":
        return study.config.control_config(trial.number)
    return study.config.search_config(trial.params, trial.number, trial.user_attrs.get(TrialAttribute.EPOCHS))


def _source_of(study: Study, phase: PhaseName, trial: FrozenTrial) -> _Source:
    directory = study.directory / FOLDERS[phase] / str(trial.number)
    values = dict(zip(study.config.search.objectives, trial.values or (), strict=False))
    return _Source(f"{study.config.name}/{phase}/{trial.number}", directory, values)


def _is_ours(config: TrainConfig) -> bool:
    """Whether no part is a user's own, named ``module:Class``."""
    return not any(":" in part.part_name() for part in (config.dataset, config.model, config.method))
