"""Requirements that each run checks on its node, because a node may join after the other nodes were examined."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from study.cluster.inventory import alive_nodes, gpu_kind
from study.state import provenance
from trainables.errors import DataError, ObjectStoreError, UnfitNodeError
from trainables.files.local_copies import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trainables.interfaces import Dataset

PREFIX = ".node-"
OLD_SECONDS = 86_400  # no running driver's marker is removed by mistake: a study has one driver at a time


@dataclass(frozen=True)
class Requirements:
    """Requirements that travel with each run to its worker, which checks them before it reads or writes any file.

    Attributes:
        code: Digest of the driver's code.
        marker: File that the driver keeps in the study directory while it runs; None with an object store.
        dataset: Data set whose local copy must fit on the node's disk if the data is in an object store.
        gpu_kinds: Kinds of GPU that hold as many trials as share one; None if nothing was measured.
    """

    code: str
    marker: Path | None
    dataset: Dataset | None = None
    gpu_kinds: frozenset[str] | None = None

    def check(self) -> None:
        """Checks this node.

        Raises:
            UnfitNodeError: The node has other code or another study directory, its kind of GPU was not measured, or its
                disk has too little free space for the data.
        """
        if reason := other_code(_code_of_process(), self.code):
            raise UnfitNodeError(reason)
        if self.marker is not None and (reason := other_directory(self.marker, sees_marker(self.marker))):
            raise UnfitNodeError(reason)
        if self.gpu_kinds is not None and (kind := _gpu_kind_of_node()) not in {None, *self.gpu_kinds}:
            raise UnfitNodeError(f"its GPUs ({kind}) were not measured; `cskd resume` measures them")
        if self.dataset is not None and not _has_free_space(self.dataset):
            raise UnfitNodeError(
                f"its disk has too little free space for a copy of the data; set {VARIABLE} there to a folder with more"
            )


def other_code(found: str, required: str) -> str | None:
    """Returns why a node with the code digest ``found`` is unfit for a driver with ``required``; None if it is fit."""
    return None if found == required else f"it has other code of cs-kd-study ({found}, the driver {required})"


def other_directory(marker: Path, seen: bool) -> str | None:
    """Returns why a node is unfit if it does not see the driver's marker file; None if it has ``seen`` the file."""
    return None if seen else f"{marker.parent} there is not the study directory of the driver's machine"


def sees_marker(marker: Path) -> bool:
    """Returns whether this node sees the driver's marker file; False also if the path to it is broken."""
    return os.path.lexists(marker)


@contextlib.contextmanager
def marker_file(directory: Path) -> Iterator[Path]:
    """Creates a marker file of this process in a folder; removes it at the end, with the files of nodes beside it.

    Files that a killed process left are removed after a day, because other processes may use the same folder.
    """
    _remove(directory, PREFIX, time.time() - OLD_SECONDS)
    marker = directory / f"{PREFIX}{secrets.token_hex(8)}"
    marker.write_text("driver")
    try:
        yield marker
    finally:
        _remove(directory, marker.name)


def _remove(directory: Path, name: str, before: float = math.inf) -> None:
    for left in directory.glob(f"{name}*"):
        with contextlib.suppress(FileNotFoundError):
            if left.stat().st_mtime < before:
                left.unlink()


def _has_free_space(dataset: Dataset) -> bool:
    try:
        return dataset.has_room()
    except (DataError, ObjectStoreError, OSError):  # the run itself reports these
        return True


def _gpu_kind_of_node() -> str | None:
    import ray

    node = alive_nodes(ray.nodes()).get(ray.get_runtime_context().get_node_id())
    return None if node is None else gpu_kind(node)


@cache
def _code_of_process() -> str:
    """Returns the digest of this process's code, cached: an installation does not change what a worker has imported."""
    return provenance.code_digest()
