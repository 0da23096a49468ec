"""Finds the free cell of a discrete search space that is nearest to a point."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces import space as spaces
from study.search.unit_cube import positions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


def is_discrete(space: spaces.Space) -> bool:
    """Whether the cells of a space can be listed; in a larger grid a repeat is as unlikely as in a continuous range."""
    count = spaces.cell_count(space)
    return count is not None and count <= spaces.LARGEST_GRID


def nearest_free_cell(
    space: spaces.Space, taken: Sequence[Mapping[str, Any]], point: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Returns the free cell nearest to a point in the unit cube; the first of equally near ones.

    Args:
        space: Discrete search space.
        taken: Points that are not free; points outside the space are ignored.
        point: Target point.

    Returns:
        The cell; None if all are taken.
    """
    cells, places, index = _cells(tuple(space.items()))
    distances = np.square(places - positions(space, [point])).sum(axis=1)
    distances[[index[key] for each in taken if (key := spaces.key(each)) in index]] = np.inf
    nearest = int(np.argmin(distances.round(12)))  # rounding errors must not decide among equally near cells
    return dict(cells[nearest]) if np.isfinite(distances[nearest]) else None


@lru_cache(maxsize=2)
def _cells(
    items: tuple[tuple[str, Any], ...],
) -> tuple[list[dict[str, Any]], NDArray[np.float64], dict[tuple[tuple[str, Any], ...], int]]:
    space = dict(items)
    cells = list(spaces.cells(space))
    return cells, positions(space, cells), {spaces.key(cell): number for number, cell in enumerate(cells)}
