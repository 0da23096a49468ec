"""A smaller space around the best points of a larger one, wider where they lie at its edge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from search_spaces import space as spaces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from search_spaces.space import Space

MARGIN = 0.1  # of the old range, on each side of the best points
EDGE = 0.02
BEYOND = 0.25  # of the old range


def narrow(space: Space, points: Sequence[Mapping[str, Any]], *, beyond: float = BEYOND) -> Space:
    """The ranges that the given points span, with a margin.

    Where a point lies at an end of a range, the new range goes on beyond it, measured in the logarithm where the range
    is logarithmic; one that begins at 0 or above stays so. Steps keep what the points have and its neighbours, choices
    what the points have.

    Args:
        space: The old space.
        points: Good points of it, at least one.
        beyond: By which share of the old range the new one goes on.

    Example:
        >>> old = {"temperature": FloatDistribution(1, 16, log=True)}
        >>> of = narrow(old, [{"temperature": 2.0}, {"temperature": 4.0}])["temperature"]
        >>> round(of.low, 2), round(of.high, 2)
        (1.52, 5.28)
    """
    return {name: _narrowed(of, [point[name] for point in points], beyond) for name, of in space.items()}


def _narrowed(of: BaseDistribution, values: Sequence[Any], beyond: float) -> BaseDistribution:
    listed = spaces.values(of)
    if isinstance(of, CategoricalDistribution):
        return CategoricalDistribution([choice for choice in of.choices if choice in values])
    assert isinstance(of, FloatDistribution)  # noqa: S101 - the only other kind that ``search_spaces`` makes
    if of.single():
        return of
    if listed is not None:
        return _neighbours(of, listed, values)
    places = [_place(of, value) for value in values]
    low, high = min(places), max(places)
    low = -beyond if low < EDGE else max(low - MARGIN, 0.0)
    high = 1 + beyond if high > 1 - EDGE else min(high + MARGIN, 1.0)
    bottom = _value(of, low)
    return FloatDistribution(max(bottom, 0.0) if of.low >= 0 else bottom, _value(of, high), log=of.log)


def _neighbours(of: FloatDistribution, listed: Sequence[float], values: Sequence[float]) -> FloatDistribution:
    indices = [min(range(len(listed)), key=lambda index: abs(listed[index] - value)) for value in values]
    first, last = max(min(indices) - 1, 0), min(max(indices) + 1, len(listed) - 1)
    return FloatDistribution(listed[first], listed[last], step=of.step)


def _place(of: FloatDistribution, value: float) -> float:
    if of.log:
        return math.log(value / of.low) / math.log(of.high / of.low)
    return (value - of.low) / (of.high - of.low)


def _value(of: FloatDistribution, place: float) -> float:
    found = of.low * (of.high / of.low) ** place if of.log else of.low + place * (of.high - of.low)
    return float(f"{found:.4g}")
