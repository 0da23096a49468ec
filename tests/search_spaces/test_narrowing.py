"""Smaller spaces around good points."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search_spaces.narrowing import narrow
from search_spaces.space import contains

LOG = FloatDistribution(0.1, 10, log=True)
LINEAR = FloatDistribution(0, 4)
STEPS = FloatDistribution(1, 8, step=1)


def ends(of, *values):
    found = narrow({"x": of}, [{"x": value} for value in values])["x"]
    return found.low, found.high


def test_a_range_is_what_the_points_span_and_a_tenth_on_each_side() -> None:
    assert ends(LOG, 1.0) == pytest.approx((10**-0.2, 10**0.2), rel=1e-3)
    assert ends(LINEAR, 1.0, 2.0) == pytest.approx((0.6, 2.4))


def test_beyond_an_edge_at_which_a_point_lies_it_goes_on() -> None:
    assert ends(LOG, 10.0, 1.0) == pytest.approx((10**-0.2, 10**1.5), rel=1e-3)
    assert ends(LOG, 0.1)[0] == pytest.approx(10**-1.5, rel=1e-3)
    assert ends(LINEAR, 4.0)[1] == pytest.approx(5.0)


def test_a_weight_never_becomes_negative() -> None:
    assert ends(LINEAR, 0.0)[0] == 0.0
    assert ends(FloatDistribution(-1, 1), -1.0)[0] == -1.5


def test_steps_and_choices_keep_what_is_good() -> None:
    assert ends(STEPS, 3.0, 5.0) == (2, 6)
    assert ends(STEPS, 8.0) == (7, 8)
    assert narrow({"x": STEPS}, [{"x": 3.0}])["x"].step == 1
    words = narrow({"x": CategoricalDistribution(["a", "b", "c"])}, [{"x": "c"}, {"x": "a"}])["x"]
    assert words.choices == ("a", "c")
    fixed = FloatDistribution(2, 2)
    assert narrow({"x": fixed}, [{"x": 2.0}])["x"] == fixed


def test_the_points_are_in_the_new_space() -> None:
    space = {"a": LOG, "b": LINEAR, "c": STEPS}
    points = [{"a": 0.5, "b": 3.9, "c": 2.0}, {"a": 9.9, "b": 0.1, "c": 4.0}]
    found = narrow(space, points)
    assert all(contains(found[name], point[name]) for point in points for name in space)
