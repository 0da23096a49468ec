"""Describes searched parameters as axes: bounds, scale, ticks and positions in the unit interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from search_spaces.symbols import symbol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analysis.records.result_files import Results

_MOST_STEPS = 10
_NEAR_AN_END = 0.02
_EXTENSION = 0.25  # of the searched range, as in `cskd narrow`
_WIDEST_WITH_TICKS = 1000.0
_LOWEST_POWER_OF_TWO = 0.1  # below, they have many digits


End = Literal["lower", "upper"]


@dataclass(frozen=True)
class Parameter:
    """A searched parameter.

    Attributes:
        name: Name, such as ``temperature``.
        choices: Values of a categorical parameter; empty for a range.
        low: Lower bound, or lowest numeric choice; NaN if a choice is not a number.
        high: Upper bound, or highest numeric choice; NaN if a choice is not a number.
        log: Whether the search used its logarithm.
        step: Distance between the values of a range; None for a continuous one.
    """

    name: str
    choices: tuple[Any, ...]
    low: float
    high: float
    log: bool
    step: float | None = None

    @property
    def label(self) -> str:
        """Symbol with its unit, as the title of an axis."""
        notation = symbol(self.name)
        return f"{notation.text}, {notation.unit}" if notation.unit not in ("", notation.text) else notation.text

    @property
    def spans(self) -> bool:
        """Whether the parameter is numeric with more than one value, so that it can be a quantitative axis."""
        return self.low < self.high

    def unit(self, values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Maps values to [0, 1], from the lower to the upper bound; logarithmic if the search was.

        Example:
            >>> Parameter("temperature", (), 1.0, 16.0, log=True).unit([1.0, 4.0, 16.0])
            array([0. , 0.5, 1. ])
        """
        low, high, x = (self._scaled(value) for value in (self.low, self.high, values))
        return np.asarray((x - low) / (high - low), dtype=np.float64)

    def at(self, unit: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Maps [0, 1] to values; the inverse of ``unit``.

        Example:
            >>> Parameter("lambda_cls", (), 0.0, 8.0, log=False).at([0.25])
            array([2.])
        """
        low, high = self._scaled(self.low), self._scaled(self.high)
        x = low + np.asarray(unit, dtype=np.float64) * (high - low)
        return np.asarray(np.exp(x) if self.log else x, dtype=np.float64)

    def end(self, value: float) -> End | None:
        """Returns the end of the range at which a value lies; None if it lies at none.

        In a continuous range, values within 2 % of an end lie at it, because samplers rarely suggest the end itself.
        Choices have no ends, because a study that lists them wants no other values. A bound beyond which the range
        cannot be extended, such as 0 of a non-negative range, does not count.

        Example:
            >>> temperature = Parameter("temperature", (), 1.0, 16.0, log=True)
            >>> temperature.end(4.0), temperature.end(15.9)
            (None, 'upper')
        """
        with np.errstate(divide="ignore"):  # 0 is below every logarithmic range
            place = float(self.unit([value])[0])
        margin = 0.0 if self.step else _NEAR_AN_END
        if self.choices or margin < place < 1 - margin:
            return None
        end: End = "lower" if place <= margin else "upper"
        return None if self.extended(end) == (self.low if end == "lower" else self.high) else end

    def extended(self, end: End) -> float:
        """Returns the bound at an end when the range is extended there by a quarter; non-negative ranges stay so.

        Example:
            >>> Parameter("temperature", (), 1.0, 16.0, log=True).extended("upper")
            32.0
            >>> Parameter("lambda_e", (), 0.0, 8.0, log=False).extended("lower")
            0.0
        """
        if self.step:
            steps = math.ceil(_EXTENSION * (self.high - self.low) / self.step)
            free = math.floor(self.low / self.step) if self.low >= 0 else steps
            bound = self.high + steps * self.step if end == "upper" else self.low - min(steps, free) * self.step
        else:
            bound = float(self.at([1 + _EXTENSION if end == "upper" else -_EXTENSION])[0])
            bound = max(bound, 0.0) if self.low >= 0 else bound
        return float(f"{bound:.4g}")

    def ticks(self) -> list[float] | None:
        """Returns tick values: choices, steps, or powers of two (1, 2 and 5 for small values); None for the default.

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

    def _scaled(self, values: Any) -> Any:
        x = np.asarray(values, dtype=np.float64)
        return np.log(x) if self.log else x


@dataclass(frozen=True)
class Edge:
    """An end of a searched range at which a configuration lies.

    Attributes:
        parameter: Parameter with that range.
        end: End at which it lies.
    """

    parameter: Parameter
    end: End

    @property
    def wider(self) -> str:
        """A range that is extended at this end, as a study file writes it.

        Example:
            >>> Edge(Parameter("temperature", (), 1.0, 16.0, log=True), "upper").wider
            'temperature: {low: 1, high: 32, log: true}'
        """
        bounds = {"low": self.parameter.low, "high": self.parameter.high}
        bounds["low" if self.end == "lower" else "high"] = self.parameter.extended(self.end)
        entries = [f"{name}: {bound:g}" for name, bound in bounds.items()]
        entries += (
            ["log: true"] if self.parameter.log else [f"step: {self.parameter.step:g}"] if self.parameter.step else []
        )
        return f"{self.parameter.name}: {{{', '.join(entries)}}}"


def edges(results: Results, hyperparameters: Mapping[str, Any]) -> tuple[Edge, ...]:
    """Returns the ends of searched ranges at which a configuration lies."""
    found = []
    for parameter in searched(results):
        value = hyperparameters.get(parameter.name)
        if parameter.spans and isinstance(value, int | float) and (end := parameter.end(float(value))):
            found.append(Edge(parameter, end))
    return tuple(found)


def searched(results: Results) -> tuple[Parameter, ...]:
    """Returns the parameters of a study's space, in its order."""
    return tuple(_parameter(*item) for item in results.study["distributions"].items())


def _parameter(name: str, distribution: Mapping[str, Any]) -> Parameter:
    choices = tuple(distribution.get("choices", ()))
    if choices:
        numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in choices)
        low, high = (min(choices), max(choices)) if numeric else (math.nan, math.nan)
        return Parameter(name, choices, float(low), float(high), log=False)
    low, high = float(distribution["low"]), float(distribution["high"])
    return Parameter(name, (), low, high, bool(distribution.get("log")), distribution.get("step"))
