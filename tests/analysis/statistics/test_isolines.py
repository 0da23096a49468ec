"""Tests levels and lines of equal value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.isolines import isolines, levels


@given(st.floats(-10, 10), st.floats(1e-4, 10))
def test_levels_lie_strictly_inside_and_evenly_apart(low, width) -> None:
    found = levels(low, low + width)
    assert 3 <= len(found) <= 20
    assert low < found[0]
    assert found[-1] < low + width
    assert np.diff(found) == pytest.approx(np.diff(found)[0])


def test_an_empty_range_has_no_levels() -> None:
    assert levels(1.0, 1.0) == []


def test_lines_of_a_cone_are_circles() -> None:
    axis = np.linspace(-1, 1, 81)
    grid = np.hypot(*np.meshgrid(axis, axis))
    found = list(isolines(axis, axis, grid, [0.25, 0.5]))
    assert [level for level, _ in found] == [0.25, 0.5]
    for level, line in found:
        assert np.hypot(line[:, 0], line[:, 1]) == pytest.approx(level, abs=2e-3)
