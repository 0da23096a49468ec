"""How a race is told."""

import pytest

from analysis.findings.race_words import words


def candidate(arm, dropped_after=None, p=None, failed=False):
    return {"arm": arm, "dropped_after": dropped_after, "p": p, "failed": failed, "trials": [], "mean": 0.1}


@pytest.fixture
def told():
    return {
        "rounds": 4,
        "over": True,
        "runs": 13,
        "runs_at_most": 20,
        "level": 0.2,
        "candidates": [
            candidate("search/7"),
            candidate("search/2"),
            candidate("search/4", 3, 0.0312),
            candidate("search/1", 2, 0.00001),
            candidate("search/9", 1, failed=True),
        ],
    }


def test_its_size_and_who_dropped_out_when_and_why(told):
    assert words(told) == (
        "A race chose the finalists on validation: 5 candidates with up to 4 fresh seeds each, 13 of at most 20 runs. "
        "Dropped out (t tests against the leader, in the end search/7, seeds as blocks, 20 % with Holm's correction): "
        "search/9 (a run failed, of 1 seed), search/1 (after 2 seeds, p < 0.001), search/4 (after 3 seeds, p = 0.031)."
    )


def test_where_none_could_be_told_apart_the_means_decided(told):
    race = told | {"candidates": told["candidates"][:2]}
    assert words(race).endswith("None could be told from the leader, search/7; the means decided.")


def test_a_race_that_was_interrupted_is_not_over(told):
    assert words(told | {"over": False}) == "A race of 5 candidates over fresh seeds is not over; 13 runs so far."
