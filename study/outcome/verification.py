"""Verifies that the files, the database and the MLflow runs of a study are complete and consistent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.records import predictions, result_files
from study.errors import ServiceError
from study.machine.secrets import secrets
from study.phases import sequence
from study.state import database, database_copies, lease, ledger, provenance, reuse, run_collection
from study.state.attribute_names import StudyAttribute, TrialAttribute
from study.state.optuna_store import PHASES, arm_and_seed
from study.tracking import desired_runs
from trainables.errors import ObjectStoreError
from trainables.files.sealed_json import is_damaged
from trainables.runs.checkpoint_names import generations
from trainables.runs.run_directory import RunDirectory
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from study.phases.phase import Phase
    from study.state.directory import OpenStudy
    from study.tracking.mlflow_client import TrackingService

LARGEST_SEARCHED_BYTES = 1 << 28


@dataclass(frozen=True)
class Violation:
    """A violated rule.

    Attributes:
        rule: Name of the rule, one word.
        subject: Trial, such as ``search/7``, or file that violates it.
        found: Description of the violation.
    """

    rule: str
    subject: str
    found: str


@dataclass(frozen=True)
class Verification:
    """The result of a verification.

    Attributes:
        checked: Numbers of trials, epochs, files and MLflow runs that were checked.
        violations: Violated rules.
        skipped: Checks that could not be made, each with the reason.
    """

    checked: dict[str, int]
    violations: list[Violation]
    skipped: list[str]


def verify(study: OpenStudy, connect: Callable[[], TrackingService] | None = None) -> Verification:
    """Compares the database, the runs' files, the result files and MLflow with each other; changes nothing.

    While a driver works on the study, only its settled trials are compared.

    Args:
        study: An open study.
        connect: Function that connects to the study's MLflow; None skips MLflow.
    """
    held = lease.is_held(study.directory)
    checked: Counter[str] = Counter()
    skipped = ["files that a driver is still writing"] if held else []
    found = [*_trials(study, checked), *_files(study, checked, held=held), *_own_files(study), *_ledger(study, checked)]
    if study.config.artifacts is not None:
        try:
            found += _objects(study, checked, held=held)
        except ObjectStoreError as error:
            skipped.append(str(error))
    if not held:
        found += _results(study, checked)
    if connect is not None:
        try:
            found += _tracked(study, connect(), checked, held=held)
        except ServiceError as error:
            skipped.append(f"MLflow: {error}")
    found += _secrets(study.directory, skipped)
    return Verification(dict(checked), found, skipped)


def _each(study: OpenStudy) -> Iterator[tuple[str, Phase, FrozenTrial, RunDirectory]]:
    for phase in sequence.phases_of(study):
        for trial in study.store.trials(phase.name):
            yield str(RunKey(phase.name, trial.number)), phase, trial, RunDirectory(phase.run_directory(trial.number))


def _trials(study: OpenStudy, checked: Counter[str]) -> Iterator[Violation]:
    """Checks that numbers have no gaps, epochs are complete, and values are those of the last epoch."""
    for name in PHASES:
        numbers = [trial.number for trial in study.store.trials(name)]
        if numbers != list(range(len(numbers))):
            yield Violation("trials", name, f"numbers {numbers}")
    for key, phase, trial, run in _each(study):
        checked["trials"] += 1
        rows = run.epochs()
        checked["epochs"] += len(rows)
        if [row.epoch for row in rows] != list(range(1, len(rows) + 1)):
            yield Violation("epochs", key, f"has epochs {[row.epoch for row in rows]}")
        if trial.state.name == "COMPLETE":
            yield from _complete(key, phase, trial, run)
            yield from _reused(study, key, run)
        elif trial.state.name == "FAIL" and not trial.user_attrs.get(TrialAttribute.ERROR):
            yield Violation("states", key, "failed without a reason")


def _complete(key: str, phase: Phase, trial: FrozenTrial, run: RunDirectory) -> Iterator[Violation]:
    rows, epochs = run.epochs(), phase.run_config(trial).training.epochs
    if len(rows) != epochs:
        yield Violation("epochs", key, f"is COMPLETE with {len(rows)} of {epochs} epochs")
        return
    values = [rows[-1].metrics.get(name) for name in phase.objectives]
    if values != trial.values:
        yield Violation("values", key, f"the database has {trial.values}, its last epoch {values}")


def _reused(study: OpenStudy, key: str, run: RunDirectory) -> Iterator[Violation]:
    """Checks that a reused run equals the run of the study that trained it, as long as that exists."""
    differs = reuse.difference(run, study.directory.parent)
    if differs is not None:
        yield Violation("reuse", key, differs)


def _files(study: OpenStudy, checked: Counter[str], *, held: bool) -> Iterator[Violation]:
    """Checks the checksums of checkpoints and lines, and that predictions can be read."""
    for key, phase, trial, run in _each(study):
        if held and not trial.state.is_finished():  # its worker still replaces and deletes checkpoints
            continue
        checked["files"] += len(generations(run.checkpoints))
        for name in run.damaged():
            yield Violation("checksums", f"{key}: {name}", "does not match its checksum")
        if phase.name == "confirm" and trial.state.name == "COMPLETE":
            checked["files"] += 1
            try:
                predictions.read(run.predictions)
            except result_files.ResultsError as error:
                yield Violation("checksums", key, str(error))


def _objects(study: OpenStudy, checked: Counter[str], *, held: bool) -> Iterator[Violation]:
    """Checks that all lines in the object store are in the study directory, and that checkpoints there are intact."""
    for key, phase, trial, _ in _each(study):
        ended = trial.state.is_finished()
        if held and not ended:
            continue
        checked["runs in the object store"] += 1
        lack = run_collection.compare(phase.assignment(trial), checkpoints=not ended)
        if lack.missing:
            yield Violation(
                "artifacts", key, f"{len(lack.missing)} lines are only in the object store; `cskd sync` fetches them"
            )
        for name in lack.damaged:
            yield Violation("checksums", key, f"{name} does not match its checksum in the object store")


def _own_files(study: OpenStudy) -> Iterator[Violation]:
    """Checks the lines of ledger and provenance, and the database file."""
    path = study.directory / database.FILE_NAME
    if path.exists() and not database_copies.is_intact(path):
        yield Violation("checksums", path.name, "is damaged; `cskd resume` replaces it by its copy")
    for name in (ledger.FILE_NAME, provenance.FILE_NAME):
        path = study.directory / name
        if path.exists() and any(map(is_damaged, path.read_bytes().split(b"\n"))):
            yield Violation("checksums", name, "a line does not match its checksum")


def _ledger(study: OpenStudy, checked: Counter[str]) -> Iterator[Violation]:
    """Checks that only confirmations read the test set, and that each completed one has a reading."""
    readings = ledger.readings(study.directory)
    checked["readings"] += len(readings)
    confirmed = {trial.number: trial for trial in study.store.trials("confirm")}
    for line in readings:
        trial = confirmed.get(line["trial"])
        if trial is None or arm_and_seed(trial) != (line["arm"], line["seed"]):
            key = str(RunKey("confirm", line["trial"]))
            yield Violation("ledger", key, f"the ledger has a reading for {line['arm']} without such a trial")
    read = {line["trial"] for line in readings}
    for number, trial in confirmed.items():
        if trial.state.name == "COMPLETE" and number not in read:
            yield Violation("ledger", str(RunKey("confirm", number)), "has test values without a reading")


def _results(study: OpenStudy, checked: Counter[str]) -> Iterator[Violation]:
    """Checks that the result files agree with the database and the runs."""
    if not (study.directory / "results" / "study.json").exists() and not any(map(study.store.trials, PHASES)):
        return
    try:
        found = result_files.read(study.directory / "results")
    except result_files.ResultsError as error:
        yield Violation("results", "results", str(error))
        return
    checked["files"] += 4
    rows = {
        (str(row["phase"]), int(row["trial"])): row
        for frame in (found.trials, found.confirmations)
        for row in frame.to_dict("records")
    }
    epochs = Counter(zip(found.epochs["phase"], found.epochs["trial"].astype(int), strict=True))
    twice = found.epochs.duplicated(["phase", "trial", "epoch"])
    if twice.any():
        yield Violation("results", "epochs.parquet", f"{int(twice.sum())} epochs are duplicates")
    for key, phase, trial, run in _each(study):
        row = rows.pop((phase.name, trial.number), None)
        if row is None:
            yield Violation("results", key, "is not in the result files; `cskd sync` writes them again")
            continue
        yield from _row(key, phase, trial, row)
        if epochs[(phase.name, trial.number)] != len(run.epochs()):
            yield Violation("results", key, "the result files have other epochs; `cskd sync` writes them again")
    for phase_name, number in rows:
        yield Violation("results", f"{phase_name}/{number}", "is in the result files but not in the database")


def _row(key: str, phase: Phase, trial: FrozenTrial, row: Mapping[Any, Any]) -> Iterator[Violation]:
    if row["state"] != trial.state.name:
        yield Violation("results", key, f"the database has {trial.state.name}, the result files {row['state']}")
    if trial.state.name == "COMPLETE":
        values = [row.get(name) for name in phase.objectives]
        if values != trial.values:
            yield Violation("results", key, f"the database has {trial.values}, the result files {values}")
    for name, value in trial.params.items():
        if not _same(row.get(f"params/{name}"), value):
            yield Violation("results", key, f"{name} is {value}, in the result files {row.get(f'params/{name}')}")


def _same(stored: Any, value: Any) -> bool:
    if isinstance(value, bool | str) or stored is None:
        return bool(stored == value)
    return bool(np.float64(stored) == np.float64(value))


def _tracked(study: OpenStudy, service: TrackingService, checked: Counter[str], *, held: bool) -> Iterator[Violation]:
    """Checks that MLflow has one run per trial, with its state, and each value once."""
    if study.store.attribute(StudyAttribute.IDENTITY) is None:
        return
    runs = service.runs_of(study.identity)
    by_key = {run.tags["cskd.run"]: run for run in runs}
    for key, count in Counter(run.tags["cskd.run"] for run in runs).items():
        if count > 1:
            yield Violation("MLflow", key, f"has {count} runs")
    for run in desired_runs.trial_runs(study, live=held):
        stored = by_key.get(run.key)
        if held and (stored is None or "RUNNING" in (run.status, stored.status)):
            continue  # the driver will update it
        checked["MLflow runs"] += 1
        if stored is None:
            yield Violation("MLflow", run.key, "has no run; `cskd sync` creates it")
            continue
        if (stored.status, stored.tags.get("cskd.state")) != (run.status, run.tags["cskd.state"]):
            yield Violation(
                "MLflow", run.key, f"is {stored.status} in MLflow, not {run.status}; `cskd sync` corrects it"
            )
        metrics = sorted({*service.metrics_of(stored.run_id), *(point.metric for point in run.points)})
        if sorted(service.points_of(stored.run_id, metrics)) != sorted(run.points):
            yield Violation("MLflow", run.key, "has other values in MLflow; `cskd sync` creates it again")


def _secrets(directory: Path, skipped: list[str]) -> Iterator[Violation]:
    """Checks that no file holds a secret from the environment of this process."""
    known = {name: value.encode() for name, value in secrets().items()}
    if not known:
        return
    for path in directory.rglob("*"):
        if not path.is_file():
            continue
        if path.stat().st_size > LARGEST_SEARCHED_BYTES:
            skipped.append(f"{path.relative_to(directory)} is too large to search for secrets")
            continue
        content = path.read_bytes()
        for name, value in known.items():
            if value in content:
                yield Violation("secrets", str(path.relative_to(directory)), f"holds the value of {name}")
