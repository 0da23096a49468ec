"""The result of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        level: Severity: a ``problem`` prevents studies from running, a ``warning`` may impair them.
        subject: Name of the checked item.
        found: Observed state.
        cure: Suggested remedy; empty if there is nothing to do.
    """

    level: Level
    subject: str
    found: str
    cure: str = ""
