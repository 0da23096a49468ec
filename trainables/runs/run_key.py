"""The key of a run within its study, such as ``search/7``."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast, get_args

PhaseName = Literal["controls", "search", "race", "confirm"]


class RunKey(NamedTuple):
    """Phase and number of a run; tables, logs, MLflow and the command line show it as ``<phase>/<number>``.

    Attributes:
        phase: Phase that the run belongs to.
        number: Number in the phase, from 0.

    Example:
        >>> str(RunKey("search", 7)), RunKey.parse("confirm/12").number
        ('search/7', 12)
    """

    phase: PhaseName
    number: int

    def __str__(self) -> str:
        """Text ``<phase>/<number>``."""
        return f"{self.phase}/{self.number}"

    @classmethod
    def parse(cls, text: str) -> RunKey:
        """Parses a key.

        Args:
            text: Text ``<phase>/<number>``, with a number in ASCII digits.

        Raises:
            ValueError: The text has another form, or the phase does not exist.
        """
        phase, separator, number = text.rpartition("/")
        if not separator or phase not in get_args(PhaseName) or not (number.isascii() and number.isdigit()):
            raise ValueError(f"{text!r} is not the name of a run; give a phase and a number, such as search/7")
        return cls(cast("PhaseName", phase), int(number))
