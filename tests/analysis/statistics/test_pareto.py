"""Tests fronts and hypervolumes against their definitions."""

import numpy as np
import pytest

from analysis.statistics.pareto import by_coverage, front, hypervolume


@pytest.fixture
def costs():
    return np.random.default_rng(0).random((40, 2))


def test_no_point_dominates_the_front(costs) -> None:
    for index, chosen in enumerate(front(costs)):
        dominated = any((other <= costs[index]).all() and (other < costs[index]).any() for other in costs)
        assert chosen == (not dominated)


def test_equal_points_are_both_on_the_front() -> None:
    assert front(np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]])).tolist() == [True, True, False]


def test_the_hypervolume_is_the_share_of_random_points_that_are_dominated(costs) -> None:
    drawn = np.random.default_rng(1).random((20_000, 2)) * 1.2
    dominated = (costs[None] <= drawn[:, None]).all(axis=2).any(axis=1)
    assert hypervolume(costs, np.array([1.2, 1.2])) == pytest.approx(1.44 * dominated.mean(), abs=0.02)


def test_points_beyond_the_reference_do_not_count() -> None:
    assert hypervolume(np.array([[2.0, 0.0], [0.5, 0.5]]), np.array([1.0, 1.0])) == 0.25


def test_the_best_in_the_first_objective_comes_first_then_what_adds_most() -> None:
    costs = np.array([[0.0, 10.0], [0.1, 9.0], [5.0, 5.0], [10.0, 0.0], [9.0, 9.0]])
    assert by_coverage(costs) == [0, 2, 3, 1]


def test_the_unit_of_an_objective_does_not_matter(costs) -> None:
    assert by_coverage(costs) == by_coverage(costs * np.array([1.0, 1000.0]))


def test_the_whole_front_is_ordered(costs) -> None:
    assert sorted(by_coverage(costs)) == np.flatnonzero(front(costs)).tolist()
