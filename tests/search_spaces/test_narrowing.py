"""Tests of spaces narrowed around good points."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search_spaces.narrowing import narrow
from search_spaces.space import contains

LOG = FloatDistribution(0.1, 10, log=True)
LINEAR = FloatDistribution(0, 4)
STEPS = FloatDistribution(1, 8, step=1)


def ends(distribution, *values):
    found = narrow({"x": distribution}, [{"x": value} for value in values])["x"]
    return found.low, found.high


def test_a_range_spans_the_points_plus_a_tenth_on_each_side() -> None:
    assert ends(LOG, 1.0) == pytest.approx((10**-0.2, 10**0.2), rel=1e-3)
    assert ends(LINEAR, 1.0, 2.0) == pytest.approx((0.6, 2.4))


def test_a_range_is_extended_beyond_an_edge_at_which_a_point_lies() -> None:
    assert ends(LOG, 10.0, 1.0) == pytest.approx((10**-0.2, 10**1.5), rel=1e-3)
    assert ends(LOG, 0.1)[0] == pytest.approx(10**-1.5, rel=1e-3)
    assert ends(LINEAR, 4.0)[1] == pytest.approx(5.0)


def test_a_non_negative_lower_bound_never_becomes_negative() -> None:
    assert ends(LINEAR, 0.0)[0] == 0.0
    assert ends(FloatDistribution(-1, 1), -1.0)[0] == -1.5


def test_steps_and_choices_keep_the_values_of_the_points() -> None:
    assert ends(STEPS, 3.0, 5.0) == (2, 6)
    assert ends(STEPS, 8.0) == (7, 8)
    assert narrow({"x": STEPS}, [{"x": 3.0}])["x"].step == 1
    letters = narrow({"x": CategoricalDistribution(["a", "b", "c"])}, [{"x": "c"}, {"x": "a"}])["x"]
    assert letters.choices == ("a", "c")
    fixed = FloatDistribution(2, 2)
    assert narrow({"x": fixed}, [{"x": 2.0}])["x"] == fixed


def test_the_new_space_contains_the_points() -> None:
    space = {"a": LOG, "b": LINEAR, "c": STEPS}
    points = [{"a": 0.5, "b": 3.9, "c": 2.0}, {"a": 9.9, "b": 0.1, "c": 4.0}]
    found = narrow(space, points)
    assert all(contains(found[name], point[name]) for point in points for name in space)
