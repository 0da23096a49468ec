"""What workers leave in an object store: where it is, whether it works, and how it comes to the study directory."""

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
    from study.state.optuna_store import Store
    from trainables.runs.assignment import Assignment
    from trainables.runs.run_key import PhaseName

IDENTITY_DIGITS = 12  # of the study's identity, which tells it from others of its name
PROBE = "probe_"


def place_of(artifacts: Artifacts, name: str, store: Store) -> str:
    """URI of a study's own folder in the object store.

    Args:
        artifacts: Where all is, as the study file says.
        name: Of the study.
        store: Of a study that a driver has begun, for that gave it its identity.
    """
    return object_store.below(artifacts.uri, f"{name}-{store.identity()[:IDENTITY_DIGITS]}")


def place_of_run(artifacts: Artifacts | None, name: str, store: Store, phase: PhaseName, number: int) -> str | None:
    """URI of a run's folder in the object store; None where driver and workers share the study directory."""
    return None if artifacts is None else object_store.below(place_of(artifacts, name, store), phase, str(number))


def prove(uri: str) -> None:
    """Writes an object, reads it and removes it.

    Raises:
        ObjectStoreError: One of these does not work here.
    """
    store, name = ObjectStore(uri, patience_seconds=0), f"{PROBE}{secrets.token_hex(8)}"
    store.write(name, name.encode())
    try:
        if name not in store.names(deep=False) or store.read(name) != name.encode():
            raise ObjectStoreError(f"artifacts at {object_store.shown(uri)}: what was written is not there")
    except FileNotFoundError:
        raise ObjectStoreError(f"artifacts at {object_store.shown(uri)}: what was written is not there") from None
    finally:
        store.delete(name)


def require(artifacts: Artifacts | None) -> None:
    """Looks at the object store before a study begins or goes on.

    Raises:
        ServiceError: It cannot be used from here.
    """
    if artifacts is None:
        return
    try:
        prove(artifacts.uri)
    except ObjectStoreError as error:
        raise ServiceError(f"{error}; `cskd doctor` looks at it") from error


def follow(assignment: Assignment) -> list[str]:
    """Brings a running run's new epochs into the study directory; what cannot be had now comes with the next ones.

    Returns:
        What was damaged in the store and passed over, as far as the new epochs say.
    """
    if assignment.objects is not None:
        with contextlib.suppress(ObjectStoreError):
            return _collect(assignment, ObjectStore(assignment.objects, patience_seconds=0))
    return []


def collect(assignment: Assignment, give_up: Callable[[], bool] = lambda: False) -> None:
    """Brings all that a run has left into the study directory, its outcome last.

    Args:
        assignment: The run.
        give_up: Ends the waiting for a store that does not answer.

    Raises:
        ServiceError: The store does not answer.
        OSError: The disk is full.
    """
    if assignment.objects is None:
        return
    try:
        _collect(assignment, ObjectStore(assignment.objects, give_up=give_up))
    except ObjectStoreError as error:
        raise ServiceError(f"{error}; when it is back, resume; `cskd doctor` looks at it") from error


@dataclass(frozen=True)
class Lack:
    """What is not as it should be of a run's objects.

    Attributes:
        missing: Lines and readings that the study directory does not have.
        damaged: Checkpoints that do not match their checksum.
    """

    missing: tuple[str, ...]
    damaged: tuple[str, ...]


def compare(assignment: Assignment, *, checkpoints: bool) -> Lack:
    """Compares a run's objects with the study directory; changes nothing.

    Args:
        assignment: Of a study with an object store.
        checkpoints: Reads those from which the run would go on.

    Raises:
        ObjectStoreError: The store does not answer.
    """
    objects, files = _objects(assignment), RunDirectory(assignment.directory)
    names = objects.store.names()
    missing = run_objects.missing_lines(names, files.log())
    usable = run_objects.usable(run_objects.checkpoints(names), files.epochs()) if checkpoints else []
    damaged = [str(each) for each in usable if not objects.is_whole(each)]
    return Lack(tuple(missing), tuple(damaged))


def sizes_of_checkpoints(assignment: Assignment) -> list[int]:
    """Bytes of each checkpoint file of a run in the object store.

    Raises:
        ObjectStoreError: The store does not answer.
    """
    if assignment.objects is None:
        return []
    return [size for name, size in _objects(assignment).store.names().items() if run_objects.is_of_checkpoint(name)]


def delete_checkpoints(assignment: Assignment) -> None:
    """Removes a run's checkpoints from the object store, finished or not.

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
    """As ``collect``; gives what attempts that are new here passed over."""
    objects, files = RunObjects(store), RunDirectory(assignment.directory)
    names = store.names()
    if isinstance(assignment.access, ledger.LedgeredAccess):
        ledger.take_in(assignment.access.ledger, objects.readings(names))
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
        if usable:  # kept, for a finished run that does not keep one removes them
            objects.fetch_checkpoint(usable[0], files.checkpoints)
    faultpoint("objects: run collected, no outcome")
    files.copy_outcome(outcome)
    return passed_over
