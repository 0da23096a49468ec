"""The searched parameters as axes: bounds, scale, ticks, and their place in the unit interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces.symbols import symbol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.records import Results

_MOST_STEPS = 10
_NEAR_AN_END = 0.02
_WIDEST_WITH_TICKS = 1000.0
_LOWEST_POWER_OF_TWO = 0.1  # below, they have many digits


@dataclass(frozen=True)
class Parameter:
    """A searched parameter.

    Attributes:
        name: Such as ``temperature``.
        choices: The values of a categorical parameter; empty for a range.
        low: Lower bound, or lowest numeric choice; NaN where choices are no numbers.
        high: Upper bound, or highest numeric choice; NaN likewise.
        log: Whether the search saw its logarithm.
        step: Distance of the values of a range; None where it is continuous.
    """

    name: str
    choices: tuple[Any, ...]
    low: float
    high: float
    log: bool
    step: float | None = None

    @property
    def label(self) -> str:
        """Symbol with its unit, as an axis says it."""
        notation = symbol(self.name)
        return f"{notation.text}, {notation.unit}" if notation.unit not in ("", notation.text) else notation.text

    @property
    def spans(self) -> bool:
        """Whether it is numeric and has more than one value, so that it can be an axis."""
        return self.low < self.high

    def unit(self, values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Where values lie between the bounds: 0 at the lower, 1 at the upper; logarithmic where the search was.

        Example:
            >>> Parameter("temperature", (), 1.0, 16.0, log=True).unit([1.0, 4.0, 16.0])
            array([0. , 0.5, 1. ])
        """
        low, high, x = (self._seen(value) for value in (self.low, self.high, values))
        return np.asarray((x - low) / (high - low), dtype=np.float64)

    def at(self, unit: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse of ``unit``.

        Example:
            >>> Parameter("lambda_cls", (), 0.0, 8.0, log=False).at([0.25])
            array([2.])
        """
        low, high = self._seen(self.low), self._seen(self.high)
        x = low + np.asarray(unit, dtype=np.float64) * (high - low)
        return np.asarray(np.exp(x) if self.log else x, dtype=np.float64)

    def covers(self, value: float) -> bool:
        """Whether a value is well inside: no end of a range, nor within 2 % of one that is continuous.

        Choices always are: a study that lists them asks for these values and no others.

        Example:
            >>> temperature = Parameter("temperature", (), 1.0, 16.0, log=True)
            >>> temperature.covers(4.0), temperature.covers(15.9)
            (True, False)
        """
        place = float(self.unit([value])[0])
        margin = 0.0 if self.step else _NEAR_AN_END
        return bool(self.choices) or margin < place < 1 - margin

    def ticks(self) -> list[float] | None:
        """Labels of an axis: choices, few steps, powers of two (1, 2 and 5 for small values); None where it may choose.

        Example:
            >>> Parameter("temperature", (), 0.5, 16.0, log=True).ticks()
            [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
            >>> Parameter("training.lr", (), 0.02, 0.3, log=True).ticks()
            [0.02, 0.05, 0.1, 0.2]
        """
        if self.choices:
            return [float(choice) for choice in self.choices]
        if self.step and (self.high - self.low) / self.step <= _MOST_STEPS:
            return [float(tick) for tick in np.arange(self.low, self.high + self.step / 2, self.step)]
        if not self.log or self.high / self.low > _WIDEST_WITH_TICKS:
            return None
        if self.low >= _LOWEST_POWER_OF_TWO:
            candidates = [2.0**power for power in range(-4, 24)]
        else:
            candidates = [float(f"{step}e{power}") for power in range(-12, 4) for step in (1, 2, 5)]
        found = [tick for tick in candidates if self.low * (1 - 1e-9) <= tick <= self.high * (1 + 1e-9)]
        return found if len(found) > 1 else None

    def _seen(self, values: Any) -> Any:
        x = np.asarray(values, dtype=np.float64)
        return np.log(x) if self.log else x


def searched(results: Results) -> tuple[Parameter, ...]:
    """The parameters of a study's space, in its order."""
    return tuple(_parameter(name, words) for name, words in results.study["distributions"].items())


def _parameter(name: str, words: Mapping[str, Any]) -> Parameter:
    choices = tuple(words.get("choices", ()))
    if choices:
        numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in choices)
        low, high = (min(choices), max(choices)) if numeric else (math.nan, math.nan)
        return Parameter(name, choices, float(low), float(high), log=False)
    return Parameter(name, (), float(words["low"]), float(words["high"]), bool(words.get("log")), words.get("step"))
