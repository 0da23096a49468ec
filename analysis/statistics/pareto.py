"""What several objectives leave undecided: the front that no trial beats, and how much of the space it covers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def front(costs: Values) -> NDArray[np.bool_]:
    """Which points no other point beats: none is as good in every objective and better in one.

    Args:
        costs: Of each point in each objective ``[n, objectives]``; smaller is better.

    Returns:
        ``[n]``; equal points stand or fall together.

    Example:
        >>> front(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 4.0]])).tolist()
        [True, True, False]
    """
    no_worse = (costs[:, None] <= costs[None]).all(axis=2)
    better = (costs[:, None] < costs[None]).any(axis=2)
    return np.logical_not((no_worse & better).any(axis=0))


def hypervolume(costs: Values, reference: Values) -> float:
    """Area that the points cover between themselves and a reference (Zitzler and Thiele 1998).

    Args:
        costs: Of each point in two objectives ``[n, 2]``; smaller is better.
        reference: A point that is worse in both ``[2]``; what lies beyond it covers nothing.

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


def covered(costs: Values) -> float:
    """Hypervolume as a share of the box between the best and the worst value in each objective.

    Example:
        >>> covered(np.array([[0.0, 4.0], [1.0, 2.0], [2.0, 0.0], [2.0, 4.0]]))
        0.25
    """
    return hypervolume(_scaled(costs), np.ones(2))


def by_coverage(costs: Values) -> list[int]:
    """Points of the front in the order in which a reader should look at them.

    The best in the first objective comes first, then always the one that adds most to the area covered. Objectives
    are compared by their range over all points, whose worst corner is the reference.

    Args:
        costs: Of each point in two objectives ``[n, 2]``; smaller is better.

    Returns:
        Indices of points of the front.
    """
    scaled = _scaled(costs)
    reference = np.full(costs.shape[1], 1.1)  # beyond the worst, so that the ends of the front count
    left = [int(index) for index in np.lexsort(costs.T[::-1]) if front(costs)[index]]
    chosen: list[int] = left[:1]
    left = left[1:]
    while left:
        chosen.append(max(left, key=lambda index: hypervolume(scaled[[*chosen, index]], reference)))
        left.remove(chosen[-1])
    return chosen


def _scaled(costs: Values) -> Values:
    """Each objective from 0, the best of all points, to 1, the worst."""
    low, high = costs.min(axis=0), costs.max(axis=0)
    scaled: Values = (costs - low) / np.where(high > low, high - low, 1.0)
    return scaled
