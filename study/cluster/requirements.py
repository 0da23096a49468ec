"""What a run asks of the node that it lands on: nodes may join a cluster long after the others have been examined."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from study.cluster.inventory import gpus_of, up
from study.state import provenance
from trainables.errors import DataError, ObjectStoreError, UnfitNodeError
from trainables.files.local_copies import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trainables.interfaces import Dataset

PREFIX = ".node-"
OLD_SECONDS = 86_400  # nobody takes the mark of a driver that runs for longer: a study has one driver at a time


@dataclass(frozen=True)
class Demands:
    """Travels with each run to its worker, which checks them before it reads or writes anything.

    Attributes:
        code: Digest of the driver's code.
        mark: A file that the driver keeps in the study directory while it runs; None where runs keep their files in an
            object store.
        dataset: Whose copy, where it lies in an object store, must have room.
        kinds: Of GPUs that hold as many trials as share one; None where nothing was measured.
    """

    code: str
    mark: Path | None
    dataset: Dataset | None = None
    kinds: frozenset[str] | None = None

    def check(self) -> None:
        """Looks at this node.

        Raises:
            UnfitNodeError: Results would be of other code, or lie where the driver never looks; nobody knows how many
                runs a GPU here holds; or the data has no room.
        """
        if _own_code() != self.code:
            raise UnfitNodeError(f"it has other code of cs-kd-study ({_own_code()}, the driver {self.code})")
        if self.mark is not None and not os.path.lexists(self.mark):  # False also where the way there is broken
            raise UnfitNodeError(f"{self.mark.parent} there is not the study directory of the driver's machine")
        if self.kinds is not None and (kind := _own_gpus()) not in {None, *self.kinds}:
            raise UnfitNodeError(f"its GPUs ({kind}) are none of those that were measured; `cskd resume` looks again")
        if self.dataset is not None and not _has_room(self.dataset):
            raise UnfitNodeError(
                f"its disk has no room for a copy of the data; set {VARIABLE} there to a folder on one that has"
            )


@contextlib.contextmanager
def marked(directory: Path) -> Iterator[Path]:
    """A file of this process in a folder; removed at the end with what nodes left beside it.

    What a killed process left is removed a day later; others may look at the same folder.
    """
    _remove(directory, PREFIX, time.time() - OLD_SECONDS)
    mark = directory / f"{PREFIX}{secrets.token_hex(8)}"
    mark.write_text("driver")
    try:
        yield mark
    finally:
        _remove(directory, mark.name)


def _remove(directory: Path, name: str, before: float = math.inf) -> None:
    for left in directory.glob(f"{name}*"):
        with contextlib.suppress(FileNotFoundError):
            if left.stat().st_mtime < before:
                left.unlink()


def _has_room(dataset: Dataset) -> bool:
    try:
        return dataset.has_room()
    except (DataError, ObjectStoreError, OSError):  # which the run itself says
        return True


def _own_gpus() -> str | None:
    import ray

    node = up(ray.nodes()).get(ray.get_runtime_context().get_node_id())
    return None if node is None else gpus_of(node)


@cache
def _own_code() -> str:
    """Of this process: a worker keeps what it has imported, whatever is installed beside it later."""
    return provenance.code_digest()
