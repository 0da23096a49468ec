"""Lines of equal value on a grid, and round values to draw them at; the one door to contourpy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_ABOUT = 8


def levels(low: float, high: float) -> list[float]:
    """Round values strictly between two numbers, about eight of them, evenly apart.

    Example:
        >>> levels(0.221, 0.262)
        [0.225, 0.23, 0.235, 0.24, 0.245, 0.25, 0.255, 0.26]
    """
    if not high > low:
        return []
    rough = (high - low) / _ABOUT
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))
    candidates = (
        float(f"{number * step:.12g}") for number in range(math.floor(low / step), math.ceil(high / step) + 1)
    )
    return [level for level in candidates if low < level < high]


def isolines(
    x: NDArray[np.float64], y: NDArray[np.float64], grid: NDArray[np.float64], at: Sequence[float]
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """Each line with its value, as points ``[n, 2]`` in order.

    Args:
        x: Coordinates of the columns, rising.
        y: Coordinates of the rows, rising.
        grid: Values ``[rows, columns]``.
        at: Values of the lines.
    """
    from contourpy import contour_generator

    generator = contour_generator(x, y, grid)
    for level in at:
        for line in generator.lines(level):
            yield level, np.asarray(line, dtype=np.float64)
