"""The published data sets: which are on disk, and on request whether every byte of them is right."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from study.checks.finding import Finding
from trainables import registry
from trainables.archives import data_folder

if TYPE_CHECKING:
    from trainables.interfaces import Dataset


def check(*, verify: bool) -> Iterator[Finding]:
    """Which published data sets are on disk; the others are fetched when they are first used.

    Args:
        verify: Reads every byte and compares checksums, which takes minutes for large data.
    """
    place = data_folder(None)
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
