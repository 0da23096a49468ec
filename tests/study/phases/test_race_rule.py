"""Which configurations drop out of a race, when, and by which test."""

import numpy as np
import pytest
from scipy import stats

from study.definition.sections import Race
from study.phases.race_rule import Exit, p_values, standing

NOISE = ((0.01, -0.01, 0.0, 0.02, -0.02), (0.0, 0.01, -0.01, 0.01, 0.0), (-0.01, 0.0, 0.01, 0.0, 0.02))


def run_race(values, *, seeds=5, survivors=1, minimizes=True, **rule):
    """Runs a race over ``values[name][seed]``; returns its standing and the runs in the order of the requests."""
    table, asked = {}, []
    while True:
        found = standing(
            list(values),
            table,
            seeds=range(seeds),
            survivors=survivors,
            rule=Race(seeds=seeds, **{"level": 0.05} | rule),
            minimizes=minimizes,
        )
        if not found.wanted:
            return found, asked
        for name, seed in found.wanted:
            table[name, seed] = values[name][seed]
            asked.append((name, seed))


def around(*means):
    """Returns values of configurations a, b, c with these means and small noise."""
    return {name: [mean + x for x in NOISE[at]] for at, (name, mean) in enumerate(zip("abc", means, strict=False))}


def least_squares_p(values):
    """Returns the p-values of the candidates' coefficients in a regression on dummies for candidates and seeds."""
    rows, seeds = values.shape
    candidate, seed = (index.ravel() for index in np.indices(values.shape))
    dummies = [
        np.ones(values.size),
        *(candidate == at for at in range(1, rows)),
        *(seed == at for at in range(1, seeds)),
    ]
    design = np.stack(dummies, axis=1).astype(float)
    found, squares, *_ = np.linalg.lstsq(design, values.ravel(), rcond=None)
    degrees = values.size - design.shape[1]
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * squares[0] / degrees)
    return (2 * stats.t.sf(np.abs(found / errors), degrees))[1:rows]


def test_p_values_equal_those_of_a_regression_on_candidates_and_seeds():
    values = np.random.default_rng(0).normal(size=(5, 4)) + np.arange(4)
    assert p_values(values) == pytest.approx(least_squares_p(values))


def test_for_two_candidates_p_values_equal_the_paired_t_test():
    values = np.random.default_rng(1).normal(size=(2, 6))
    assert p_values(values) == pytest.approx([stats.ttest_rel(*values).pvalue])


def test_p_values_without_noise_are_one_or_zero():
    assert list(p_values(np.array([[0.1, 0.2], [0.1, 0.2], [0.2, 0.3]]))) == [1, 0]


def test_clearly_worse_configurations_drop_out_at_the_first_test():
    values = around(0.10, 0.60, 0.65)
    found, asked = run_race(values, first_test=3)
    assert (found.rounds, found.racing, found.order) == (3, ("a",), ("a", "b", "c"))
    assert len(asked) == 9  # of 15
    first, second = sorted(p_values(np.array([values[name][:3] for name in "abc"])))
    assert sorted(gone.p for gone in found.exits) == pytest.approx([2 * first, max(2 * first, second)])


def test_similar_configurations_run_with_all_seeds_and_the_means_decide():
    found, asked = run_race(around(0.10, 0.101, 0.102))
    assert (found.rounds, found.exits, len(asked)) == (5, (), 15)
    assert found.racing == ("a", "b", "c")


def test_the_race_ends_when_the_survivors_remain_and_drops_the_worst_first():
    found, _ = run_race(around(0.10, 0.60, 0.65), survivors=2)
    assert found.racing == ("a", "b")
    assert [gone.name for gone in found.exits] == ["c"]


def test_no_race_if_there_are_no_more_candidates_than_survivors():
    found, asked = run_race(around(0.3, 0.1), survivors=2)
    assert (found.rounds, found.racing, asked) == (0, ("a", "b"), [])  # the order of the search


def test_the_largest_value_leads_if_the_metric_is_maximized():
    found, _ = run_race(around(0.10, 0.60, 0.65), minimizes=False)
    assert found.order[0] == "c"
    assert found.order[-1] == "a"


def test_a_failed_run_drops_out_at_once_and_ranks_last():
    values = {"a": [0.1, None, 0.1], "b": [0.2, 0.21, 0.2], "c": [0.2, 0.25, 0.22]}
    found, _ = run_race(values, seeds=3)
    assert found.exits[0] == Exit("a", 2, None)
    assert found.order == ("b", "c", "a")


def test_the_race_ends_when_all_fail():
    found, _ = run_race({"a": [None, None], "b": [None, None]}, seeds=2, first_test=2)
    assert (found.racing, found.wanted, found.order) == ((), (), ("a", "b"))


def test_rounds_before_the_first_test_run_concurrently_and_later_ones_in_order():
    names, race = ["a", "b"], Race(seeds=5, first_test=3)
    first = standing(names, {}, seeds=range(5), survivors=1, rule=race, minimizes=True)
    assert first.wanted == tuple((name, seed) for seed in range(3) for name in names)
    table = {(name, seed): 0.1 * seed for seed in range(3) for name in names}
    assert standing(names, table, seeds=range(5), survivors=1, rule=race, minimizes=True).wanted == (
        ("a", 3),
        ("b", 3),
    )


def test_equal_values_do_not_drop_out():
    found, _ = run_race({"a": [0.1, 0.2, 0.1], "b": [0.1, 0.2, 0.1]}, seeds=3)
    assert found.racing == ("a", "b")


def test_equal_candidates_rarely_drop_out():
    random = np.random.default_rng(0)
    lost = 0
    for _ in range(200):
        values = {name: random.normal(size=3).tolist() for name in "abcd"}
        found, _ = run_race(values, seeds=3)
        lost += bool(found.exits)
    # The leader is the best of four by chance, so more than 5 % drop out; it remains a small share.
    assert lost < 0.15 * 200
