"""The data sets: which are on disk or in an object store, and on request whether every byte of them is right."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from study.commands.doctor.finding import Finding
from trainables.errors import ConfigError, DataError, ObjectStoreError
from trainables.files import local_copies
from trainables.files.object_store import shown
from trainables.files.places import data_place
from trainables.interfaces import registry
from trainables.preparation import sharing

if TYPE_CHECKING:
    from trainables.interfaces import Dataset


def check(*, verify: bool) -> Iterator[Finding]:
    """Which data sets are at the place of the data, and on this machine.

    Args:
        verify: Reads every byte here and compares checksums, which takes minutes for large data.
    """
    try:
        place = data_place(None)
        yield from _in_store(place, verify=verify) if isinstance(place, str) else _in_folder(place, verify=verify)
    except (ConfigError, DataError, ObjectStoreError) as error:
        yield Finding("problem", "data", str(error), "correct CSKD_DATA, or start the store and give it the keys")


def _in_store(uri: str, *, verify: bool) -> Iterator[Finding]:
    kept = [name for name, _ in sharing.stored(uri)]
    here = [name for name in kept if local_copies.has_copy(uri, name)]
    copies = f"; copies in {local_copies.folder_of(uri)}: {', '.join(here) or 'none yet'}"
    yield Finding("ok", "data", f"in {shown(uri)}: {', '.join(kept) or 'nothing yet'}{copies}")
    for name in here if verify else ():
        if local_copies.is_whole(uri, name):
            yield Finding("ok", f"data {name}", "the copy here is what was put into the store, every byte")
        else:
            yield Finding("problem", f"data {name}", "the copy here is damaged", f"rm -r {local_copies.folder_of(uri)}")


def _in_folder(place: Path, *, verify: bool) -> Iterator[Finding]:
    """The others are fetched when they are first used."""
    known = {name: _on_disk(name, place) for name in registry.available("datasets")}
    ready = [name for name, found in known.items() if found]
    absent = [name for name, found in known.items() if found is False]
    later = f"; fetched at first use: {', '.join(absent)}" if absent else ""
    hint = "" if verify or not ready else "; `cskd doctor --data` verifies them"
    yield Finding("ok", "data", f"in {place}: {', '.join(ready) or 'nothing yet'}{later}{hint}")
    if verify:
        yield from (finding for name in registry.available("datasets") for finding in verified(name))


def verified(name: str) -> Iterator[Finding]:
    """Compares a data set's files with their checksums; nothing is said of one that is not there."""
    dataset: Dataset = registry.load("datasets", name)()  # type: ignore[assignment]
    for stored in dataset.stored():
        if stored.state == "ready":
            yield Finding("ok", f"data {name}", f"{stored.path}: every byte as published")
        elif stored.state == "damaged":
            yield Finding("problem", f"data {name}", f"{stored.path}: {stored.note}", f"cskd data prepare {name}")


def _on_disk(name: str, place: Path) -> bool | None:
    """Whether a data set's published files are in the data folder; None for one without such files."""
    module = importlib.import_module(registry.load("datasets", name).__module__)
    names = [getattr(module, key) for key in ("FOLDER", "ARCHIVE") if hasattr(module, key)]
    return any((place / found).exists() for found in names) if names else None
