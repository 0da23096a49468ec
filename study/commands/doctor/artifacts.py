"""The object stores of the studies in a storage folder: whether they can be written and read from here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from study.commands.doctor.finding import Finding
from study.errors import StudyDirectoryError, StudyFileError
from study.state import directory, run_collection
from trainables.errors import ObjectStoreError
from trainables.files.object_store import shown

CURE = "start it, or correct the keys in the environment and the way to it; studies there cannot go on without"


def check(storage: Path) -> Iterator[Finding]:
    """Uses each store that a study names, and leaves nothing there; without such studies nothing is said."""
    for uri in sorted(_named(storage)):
        try:
            run_collection.prove(uri)
        except ObjectStoreError as error:
            yield Finding("problem", "artifacts", str(error), CURE)
        else:
            yield Finding("ok", "artifacts", f"{shown(uri)} can be written and read")


def _named(storage: Path) -> set[str]:
    found = set()
    for study in directory.studies_in(storage):
        with contextlib.suppress(StudyDirectoryError, StudyFileError, OSError):  # other commands tell of it
            named = directory.read_config(study).artifacts
            found |= set() if named is None else {named.uri}
    return found
