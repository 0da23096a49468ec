"""Maps points of a search space to the unit cube and back, so that distances do not depend on units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from search_spaces import space as spaces


def sobol(space: spaces.Space, seed: int, number: int) -> dict[str, Any]:
    """Returns point ``number`` (from 0) of the scrambled Sobol sequence with this seed.

    The first 2^k points fill the space evenly for each k (Owen 1998), so a search may stop or continue at any of them.
    """
    from scipy.stats import qmc

    engine = qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng(seed))
    if number:
        engine.fast_forward(number)
    return point_at(space, engine.random(1)[0])


def point_at(space: spaces.Space, position: Sequence[float] | NDArray[np.float64]) -> dict[str, Any]:
    """Returns the point at a position in the unit cube; values of a discrete parameter have equal shares of its edge.

    Args:
        space: Search space.
        position: Coordinates in [0, 1), one per parameter, in the order of the space.
    """
    return {
        name: _value_at(distribution, float(x)) for (name, distribution), x in zip(space.items(), position, strict=True)
    }


def positions(space: spaces.Space, points: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Returns the coordinates of points in the unit cube.

    A numeric parameter is scaled by its range, or by the range's logarithm. A categorical parameter has one dimension
    per choice, so that all choices are equally far from each other.

    Args:
        space: Search space.
        points: Points of the space.

    Returns:
        Coordinates in [0, 1], shape ``[points, dimensions]``.
    """
    columns = [
        column
        for name, distribution in space.items()
        for column in _columns(distribution, [point[name] for point in points])
    ]
    return np.array(columns, dtype=float).reshape(-1, len(points)).T


def _columns(distribution: BaseDistribution, values: Sequence[Any]) -> list[list[float]]:
    if isinstance(distribution, CategoricalDistribution):
        return [[float(value == choice) / math.sqrt(2) for value in values] for choice in distribution.choices]
    assert isinstance(distribution, FloatDistribution)  # noqa: S101 - the only other kind that ``search_spaces`` creates
    if distribution.single():
        return []
    low, high = distribution.low, distribution.high
    if distribution.log:
        low, high, values = math.log(low), math.log(high), [math.log(x) for x in values]
    return [[(x - low) / (high - low) for x in values]]


def _value_at(distribution: BaseDistribution, x: float) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[int(x * len(distribution.choices))]
    assert isinstance(distribution, FloatDistribution)  # noqa: S101
    low, high, step = distribution.low, distribution.high, distribution.step
    if distribution.log:
        return min(max(math.exp(math.log(low) + x * math.log(high / low)), low), high)
    if step is None:
        return low + x * (high - low)
    count = round((high - low) / step) + 1
    return min(low + int(x * count) * step, high)  # the same formula as in ``spaces.values``
