"""Computes Pareto fronts and their hypervolume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def front(costs: Values) -> NDArray[np.bool_]:
    """Returns which points are on the Pareto front: no other is as good in every objective and better in one.

    Args:
        costs: Cost of each point in each objective ``[n, objectives]``; smaller is better.

    Returns:
        Booleans ``[n]``; equal points are both on the front or both not.

    Example:
        >>> front(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 4.0]])).tolist()
        [True, True, False]
    """
    no_worse = (costs[:, None] <= costs[None]).all(axis=2)
    better = (costs[:, None] < costs[None]).any(axis=2)
    return np.logical_not((no_worse & better).any(axis=0))


def hypervolume(costs: Values, reference: Values) -> float:
    """Returns the area dominated by points, up to a reference (Zitzler and Thiele 1998).

    Args:
        costs: Cost of each point in two objectives ``[n, 2]``; smaller is better.
        reference: Reference point ``[2]``; points that are not below it in both objectives count as 0.

    Example:
        >>> hypervolume(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([2.0, 2.0]))
        3.0
    """
    inside = costs[(costs < reference).all(axis=1)]
    area, height = 0.0, float(reference[1])
    for first, second in inside[np.lexsort(inside.T[::-1])]:
        if second < height:
            area += float((reference[0] - first) * (height - second))
            height = float(second)
    return area


def relative_hypervolume(costs: Values) -> float:
    """Returns the hypervolume as a share of the box between the best and the worst value in each objective.

    Example:
        >>> relative_hypervolume(np.array([[0.0, 4.0], [1.0, 2.0], [2.0, 0.0], [2.0, 4.0]]))
        0.25
    """
    return hypervolume(_scaled(costs), np.ones(2))


def by_coverage(costs: Values) -> list[int]:
    """Orders the points of the front by their contribution to the hypervolume.

    The best point in the first objective comes first, then repeatedly the one that adds most to the hypervolume.
    Objectives are scaled by their range over all points.

    Args:
        costs: Cost of each point in two objectives ``[n, 2]``; smaller is better.

    Returns:
        Indices of points of the front.
    """
    scaled = _scaled(costs)
    reference = np.full(costs.shape[1], 1.1)  # beyond the worst, so that the ends of the front contribute
    left = [int(index) for index in np.lexsort(costs.T[::-1]) if front(costs)[index]]
    chosen: list[int] = left[:1]
    left = left[1:]
    while left:
        chosen.append(max(left, key=lambda index: hypervolume(scaled[[*chosen, index]], reference)))
        left.remove(chosen[-1])
    return chosen


def _scaled(costs: Values) -> Values:
    """Scales each objective from 0, the best of all points, to 1, the worst."""
    low, high = costs.min(axis=0), costs.max(axis=0)
    scaled: Values = (costs - low) / np.where(high > low, high - low, 1.0)
    return scaled
