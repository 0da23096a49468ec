"""Collects the files of runs from an object store into the study directory, and checks the access to the store."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.errors import ServiceError
from study.state import ledger
from trainables.errors import ObjectStoreError
from trainables.files import object_store
from trainables.files.faultpoints import faultpoint
from trainables.files.object_store import ObjectStore
from trainables.runs import run_objects
from trainables.runs.run_directory import RunDirectory
from trainables.runs.run_objects import RunObjects

if TYPE_CHECKING:
    from collections.abc import Callable

    from study.definition.service_sections import Artifacts
    from study.state.optuna_store import TrialStore
    from trainables.runs.assignment import Assignment
    from trainables.runs.run_key import PhaseName

IDENTITY_DIGITS = 12  # digits of the study's identity in its folder's name
PROBE = "probe_"


def study_uri(artifacts: Artifacts, name: str, store: TrialStore) -> str:
    """Returns the URI of a study's folder in the object store.

    Args:
        artifacts: Section ``artifacts`` of the study file.
        name: Name of the study.
        store: Database of the study, which holds its identity.
    """
    return object_store.below(artifacts.uri, f"{name}-{store.identity()[:IDENTITY_DIGITS]}")


def run_uri(artifacts: Artifacts | None, name: str, store: TrialStore, phase: PhaseName, number: int) -> str | None:
    """Returns the URI of a run's folder in the object store; None if the workers share the study directory."""
    return None if artifacts is None else object_store.below(study_uri(artifacts, name, store), phase, str(number))


def check_access(uri: str) -> None:
    """Checks the access to an object store: writes an object, lists it, reads it and deletes it.

    Raises:
        ObjectStoreError: One of these operations fails.
    """
    store, name = ObjectStore(uri, patience_seconds=0), f"{PROBE}{secrets.token_hex(8)}"
    store.write(name, name.encode())
    try:
        if name not in store.names(deep=False) or store.read(name) != name.encode():
            raise ObjectStoreError(f"artifacts at {object_store.shown(uri)}: a written object cannot be read back")
    except FileNotFoundError:
        raise ObjectStoreError(
            f"artifacts at {object_store.shown(uri)}: a written object cannot be read back"
        ) from None
    finally:
        store.delete(name)


def require(artifacts: Artifacts | None) -> None:
    """Checks the object store before a study is launched or resumed.

    Raises:
        ServiceError: The object store cannot be used from this machine.
    """
    if artifacts is None:
        return
    try:
        check_access(artifacts.uri)
    except ObjectStoreError as error:
        raise ServiceError(f"{error}; `cskd doctor` checks it") from error


def follow(assignment: Assignment) -> list[str]:
    """Copies a running run's new epochs into the study directory; if the store fails, the next call copies them.

    Returns:
        Damaged objects that the attempts in the new lines skipped.
    """
    if assignment.objects is not None:
        with contextlib.suppress(ObjectStoreError):
            return _collect(assignment, ObjectStore(assignment.objects, patience_seconds=0))
    return []


def collect(assignment: Assignment, give_up: Callable[[], bool] = lambda: False) -> None:
    """Copies all files of a run from the object store into the study directory, the outcome last.

    Args:
        assignment: Run to collect.
        give_up: Function that returns whether to stop waiting for a store that does not answer.

    Raises:
        ServiceError: The store does not answer.
        OSError: The disk is full.
    """
    if assignment.objects is None:
        return
    try:
        _collect(assignment, ObjectStore(assignment.objects, give_up=give_up))
    except ObjectStoreError as error:
        raise ServiceError(f"{error}; resume when it is back; `cskd doctor` checks it") from error


@dataclass(frozen=True)
class Differences:
    """Differences between a run's objects and the study directory.

    Attributes:
        missing: Names of the rows and readings that the study directory lacks.
        damaged: Checkpoints in the object store that do not match their checksum.
    """

    missing: tuple[str, ...]
    damaged: tuple[str, ...]


def compare(assignment: Assignment, *, checkpoints: bool) -> Differences:
    """Compares a run's objects with the study directory; changes nothing.

    Args:
        assignment: Run of a study with an object store.
        checkpoints: Whether to check the checkpoints from which the run could resume.

    Raises:
        ObjectStoreError: The store does not answer.
    """
    objects, files = _objects(assignment), RunDirectory(assignment.directory)
    names = objects.store.names()
    missing = run_objects.missing_lines(names, files.log())
    usable = run_objects.usable(run_objects.checkpoints(names), files.epochs()) if checkpoints else []
    damaged = [str(each) for each in usable if not objects.is_whole(each)]
    return Differences(tuple(missing), tuple(damaged))


def checkpoint_sizes(assignment: Assignment) -> list[int]:
    """Returns the size in bytes of each checkpoint file of a run in the object store.

    Raises:
        ObjectStoreError: The store does not answer.
    """
    if assignment.objects is None:
        return []
    return [size for name, size in _objects(assignment).store.names().items() if run_objects.is_of_checkpoint(name)]


def delete_checkpoints(assignment: Assignment) -> None:
    """Deletes a run's checkpoints from the object store.

    Raises:
        ObjectStoreError: The store does not answer.
    """
    if assignment.objects is None:
        return
    store = _objects(assignment).store
    for name in sorted(filter(run_objects.is_of_checkpoint, store.names()), reverse=True):  # checksums first
        store.delete(name)


def _objects(assignment: Assignment) -> RunObjects:
    return RunObjects(ObjectStore(str(assignment.objects), patience_seconds=0))


def _collect(assignment: Assignment, store: ObjectStore) -> list[str]:
    """Copies a run's files into the study directory; returns the damaged objects that new attempts skipped."""
    objects, files = RunObjects(store), RunDirectory(assignment.directory)
    names = store.names()
    if isinstance(assignment.access, ledger.LedgeredAccess):
        ledger.add_missing(assignment.access.ledger, objects.readings(names))
    lines = objects.lines(run_objects.missing_lines(names, files.log()))
    files.merge_log(lines, 0)
    rows = files.epochs()
    usable = run_objects.usable(run_objects.checkpoints(names), rows)
    files.merge_log([], usable[0].epoch if usable else 0)
    passed_over = [name for line in lines for name in line.get(run_objects.PASSED_OVER, ())]
    outcome, known = objects.outcome(names), files.outcome()
    if outcome is None or (known is not None and known.attempt >= outcome["attempt"]):
        return passed_over
    if outcome["state"] == "finished":
        for name, path in run_objects.predictions_of(files, names, rows):
            store.download(name, path)
        if usable:  # fetched because the run kept it: a finished run deletes the checkpoints that it does not keep
            objects.fetch_checkpoint(usable[0], files.checkpoints)
    faultpoint("objects: run collected, no outcome")
    files.copy_outcome(outcome)
    return passed_over
