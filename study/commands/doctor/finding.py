"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """A line of the examination.

    Attributes:
        level: ``problem`` keeps studies from running; ``warning`` may spoil them.
        subject: What was looked at.
        found: What there is.
        cure: What to do; empty where nothing is to be done.
    """

    level: Level
    subject: str
    found: str
    cure: str = ""
