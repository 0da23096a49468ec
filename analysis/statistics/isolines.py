"""Computes lines of equal value on a grid, with contourpy, and round values for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_LEVELS = 8  # about


def levels(low: float, high: float) -> list[float]:
    """Returns about eight round values strictly between two numbers, evenly spaced.

    Example:
        >>> levels(0.221, 0.262)
        [0.225, 0.23, 0.235, 0.24, 0.245, 0.25, 0.255, 0.26]
    """
    if not high > low:
        return []
    rough = (high - low) / _LEVELS
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))
    candidates = (
        float(f"{number * step:.12g}") for number in range(math.floor(low / step), math.ceil(high / step) + 1)
    )
    return [level for level in candidates if low < level < high]


def isolines(
    x: NDArray[np.float64], y: NDArray[np.float64], grid: NDArray[np.float64], at: Sequence[float]
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """Yields the value of each line and its points ``[n, 2]`` in order.

    Args:
        x: Coordinates of the columns, ascending.
        y: Coordinates of the rows, ascending.
        grid: Values ``[rows, columns]``.
        at: Values of the lines.
    """
    from contourpy import contour_generator

    generator = contour_generator(x, y, grid)
    for level in at:
        for line in generator.lines(level):
            yield level, np.asarray(line, dtype=np.float64)
