"""Narrows a search space to the neighbourhood of its best points, and extends it where they lie at its edge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from search_spaces import space as spaces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from search_spaces.space import Space

# Fractions of the old range:
MARGIN = 0.1  # margin on each side of the best points
EDGE = 0.02  # distance within which a point counts as lying at the edge
BEYOND = 0.25  # extension beyond an edge


def narrow(space: Space, points: Sequence[Mapping[str, Any]], *, beyond: float = BEYOND) -> Space:
    """Returns the space that the given points span, with a margin.

    A range with a point at one of its ends is extended beyond that end, on the logarithmic scale if the range is
    logarithmic. A lower bound of 0 or above never becomes negative. A stepped range keeps the values of the points and
    their direct neighbours; choices keep the values of the points.

    Args:
        space: Space to narrow.
        points: Good points of the space, at least one.
        beyond: Extension beyond an edge, as a fraction of the old range.

    Example:
        >>> old = {"temperature": FloatDistribution(1, 16, log=True)}
        >>> new = narrow(old, [{"temperature": 2.0}, {"temperature": 4.0}])["temperature"]
        >>> round(new.low, 2), round(new.high, 2)
        (1.52, 5.28)
    """
    return {
        name: _narrowed(distribution, [point[name] for point in points], beyond) for name, distribution in space.items()
    }


def _narrowed(distribution: BaseDistribution, values: Sequence[Any], beyond: float) -> BaseDistribution:
    listed = spaces.values(distribution)
    if isinstance(distribution, CategoricalDistribution):
        return CategoricalDistribution([choice for choice in distribution.choices if choice in values])
    assert isinstance(distribution, FloatDistribution)  # noqa: S101 - the only other kind in ``search_spaces``
    if distribution.single():
        return distribution
    if listed is not None:
        return _neighbours(distribution, listed, values)
    places = [_place(distribution, value) for value in values]
    first, last = min(places), max(places)
    first = -beyond if first < EDGE else max(first - MARGIN, 0.0)
    last = 1 + beyond if last > 1 - EDGE else min(last + MARGIN, 1.0)
    low, high = _value(distribution, first), _value(distribution, last)
    return FloatDistribution(max(low, 0.0) if distribution.low >= 0 else low, high, log=distribution.log)


def _neighbours(distribution: FloatDistribution, listed: Sequence[float], values: Sequence[float]) -> FloatDistribution:
    indices = [min(range(len(listed)), key=lambda index: abs(listed[index] - value)) for value in values]
    first, last = max(min(indices) - 1, 0), min(max(indices) + 1, len(listed) - 1)
    return FloatDistribution(listed[first], listed[last], step=distribution.step)


def _place(distribution: FloatDistribution, value: float) -> float:
    if distribution.log:
        return math.log(value / distribution.low) / math.log(distribution.high / distribution.low)
    return (value - distribution.low) / (distribution.high - distribution.low)


def _value(distribution: FloatDistribution, place: float) -> float:
    low, high = distribution.low, distribution.high
    value = low * (high / low) ** place if distribution.log else low + place * (high - low)
    return float(f"{value:.4g}")
