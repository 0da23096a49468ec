"""Checks which data sets are on disk or in an object store; optionally verifies every byte."""

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
    """Finds the data sets in the data folder or object store of ``CSKD_DATA``.

    Args:
        verify: Whether to compare the checksums of all files on this machine, which takes minutes for large data.
    """
    try:
        place = data_place(None)
        yield from _in_store(place, verify=verify) if isinstance(place, str) else _in_folder(place, verify=verify)
    except (ConfigError, DataError, ObjectStoreError) as error:
        yield Finding("problem", "data", str(error), "correct CSKD_DATA, or start the object store and set its keys")


def _in_store(uri: str, *, verify: bool) -> Iterator[Finding]:
    stored = [name for name, _ in sharing.stored(uri)]
    local = [name for name in stored if local_copies.has_copy(uri, name)]
    folder = local_copies.folder_of(uri)
    yield Finding(
        "ok",
        "data",
        f"in {shown(uri)}: {', '.join(stored) or 'none'}; copies in {folder}: {', '.join(local) or 'none'}",
    )
    for name in local if verify else ():
        if local_copies.is_whole(uri, name):
            yield Finding("ok", f"data {name}", "the local copy matches the object store")
        else:
            yield Finding("problem", f"data {name}", "the local copy is damaged", f"rm -r {folder}")


def _in_folder(place: Path, *, verify: bool) -> Iterator[Finding]:
    on_disk = {name: _on_disk(name, place) for name in registry.available("datasets")}
    present = [name for name, found in on_disk.items() if found]
    absent = [name for name, found in on_disk.items() if found is False]
    missing = f"; missing: {', '.join(absent)} (run `cskd data prepare NAME`)" if absent else ""
    hint = "" if verify or not present else "; `cskd doctor --data` verifies them"
    yield Finding("ok", "data", f"in {place}: {', '.join(present) or 'none'}{missing}{hint}")
    if verify:
        yield from (finding for name in registry.available("datasets") for finding in verify_files(name))


def verify_files(name: str) -> Iterator[Finding]:
    """Compares a data set's files with their checksums; yields nothing for files that do not exist."""
    dataset: Dataset = registry.load("datasets", name)()  # type: ignore[assignment]
    for stored in dataset.stored():
        if stored.state == "ready":
            yield Finding("ok", f"data {name}", f"{stored.path}: every byte matches the published data")
        elif stored.state == "damaged":
            yield Finding("problem", f"data {name}", f"{stored.path}: {stored.note}", f"cskd data prepare {name}")


def _on_disk(name: str, place: Path) -> bool | None:
    """Returns whether a data set's published files are in the data folder; None if it has no published files."""
    module = importlib.import_module(registry.load("datasets", name).__module__)
    names = [getattr(module, key) for key in ("FOLDER", "ARCHIVE") if hasattr(module, key)]
    return any((place / found).exists() for found in names) if names else None
