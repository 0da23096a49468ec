"""Checks that the object stores of the studies in a storage folder are readable and writable."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from study.commands.doctor.finding import Finding
from study.errors import StudyDirectoryError, StudyFileError
from study.state import directory, run_collection
from trainables.errors import ObjectStoreError
from trainables.files.object_store import shown

CURE = "start the store, or correct its address or the keys in the environment; its studies cannot run without it"


def check(storage: Path) -> Iterator[Finding]:
    """Writes to and reads from each object store that a study names, and leaves nothing behind.

    Yields nothing if no study uses an object store.
    """
    for uri in sorted(_object_stores(storage)):
        try:
            run_collection.check_access(uri)
        except ObjectStoreError as error:
            yield Finding("problem", "artifacts", str(error), CURE)
        else:
            yield Finding("ok", "artifacts", f"{shown(uri)} is readable and writable")


def _object_stores(storage: Path) -> set[str]:
    found = set()
    for study in directory.studies_in(storage):
        with contextlib.suppress(StudyDirectoryError, StudyFileError, OSError):  # other commands report it
            named = directory.read_config(study).artifacts
            found |= set() if named is None else {named.uri}
    return found
