"""What a run asks of the node that it lands on: nodes may join a cluster long after the others have been examined."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from study import provenance
from trainables.errors import UnfitNodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = ".node-"


@dataclass(frozen=True)
class Demands:
    """Travels with each run to its worker, which checks them before it reads or writes anything.

    Attributes:
        code: Digest of the driver's code.
        mark: A file that the driver keeps in the study directory while it runs; None where runs keep their files in an
            object store.
    """

    code: str
    mark: Path | None

    def check(self) -> None:
        """Looks at this node.

        Raises:
            UnfitNodeError: Results would be of other code, or would lie where the driver never looks.
        """
        if _own_code() != self.code:
            raise UnfitNodeError(f"it has other code of cs-kd-study ({_own_code()}, the driver {self.code})")
        if self.mark is not None and not self.mark.exists():
            raise UnfitNodeError(f"{self.mark.parent} there is not the study directory of the driver's machine")


@contextlib.contextmanager
def marked(directory: Path) -> Iterator[Path]:
    """A file of the driver's in the study directory; removed at the end with what nodes left beside it.

    What a killed driver left is removed, too: a study has one driver at a time.
    """
    _remove(directory)
    mark = directory / f"{PREFIX}{secrets.token_hex(8)}"
    mark.write_text("driver")
    try:
        yield mark
    finally:
        _remove(directory)


def _remove(directory: Path) -> None:
    for left in directory.glob(f"{PREFIX}*"):
        left.unlink(missing_ok=True)


@cache
def _own_code() -> str:
    """Of this process: a worker keeps what it has imported, whatever is installed beside it later."""
    return provenance.code_digest()
