"""Points of a search space as points of the unit cube, in which a step is a step whatever the parameter's unit."""

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
    """Point ``number`` (from 0) of the space's one scrambled Sobol sequence with this seed.

    The first 2^k points fill the space evenly for each k (Owen 1998), so a search may stop or go on at any of them.
    """
    from scipy.stats import qmc

    engine = qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng(seed))
    if number:
        engine.fast_forward(number)
    return point_at(space, engine.random(1)[0])


def point_at(space: spaces.Space, position: Sequence[float] | NDArray[np.float64]) -> dict[str, Any]:
    """The point at a position in the unit cube; a discrete parameter's values have equal shares of its edge.

    Args:
        space: What varies.
        position: In [0, 1), one for each parameter, in the space's order.
    """
    return {name: _value_at(of, float(x)) for (name, of), x in zip(space.items(), position, strict=True)}


def positions(space: spaces.Space, points: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Where points lie in the unit cube.

    A number lies where its range or the range's logarithm puts it. A choice without an order has an edge of its own for
    each word, so that all words are equally far from each other.

    Returns:
        Coordinates in [0, 1], ``[points, dimensions]``.
    """
    columns = [column for name, of in space.items() for column in _columns(of, [point[name] for point in points])]
    return np.array(columns, dtype=float).reshape(-1, len(points)).T


def _columns(of: BaseDistribution, values: Sequence[Any]) -> list[list[float]]:
    if isinstance(of, CategoricalDistribution):
        return [[float(value == choice) / math.sqrt(2) for value in values] for choice in of.choices]
    assert isinstance(of, FloatDistribution)  # noqa: S101 - the only other kind that ``search_spaces`` makes
    if of.single():
        return []
    low, high, values = (
        (math.log(of.low), math.log(of.high), [math.log(x) for x in values]) if of.log else (of.low, of.high, values)
    )
    return [[(x - low) / (high - low) for x in values]]


def _value_at(of: BaseDistribution, x: float) -> Any:
    if isinstance(of, CategoricalDistribution):
        return of.choices[int(x * len(of.choices))]
    assert isinstance(of, FloatDistribution)  # noqa: S101
    if of.log:
        return min(max(math.exp(math.log(of.low) + x * math.log(of.high / of.low)), of.low), of.high)
    if of.step is None:
        return of.low + x * (of.high - of.low)
    count = round((of.high - of.low) / of.step) + 1
    return min(of.low + int(x * count) * of.step, of.high)  # as ``spaces.values`` computes it
