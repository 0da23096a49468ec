"""Tests of the description of a race."""

import pytest

from analysis.findings.race_words import race_text


def candidate(arm, dropped_after=None, p=None, failed=False):
    return {"arm": arm, "dropped_after": dropped_after, "p": p, "failed": failed, "trials": [], "mean": 0.1}


@pytest.fixture
def race():
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


def test_size_and_eliminated_candidates_with_reasons(race):
    assert race_text(race) == (
        "A race selected the finalists on validation data: 5 candidates with up to 4 fresh seeds each, 13 of at most "
        "20 runs. Eliminated (t-tests against the current leader, finally search/7, with seeds as blocks, at 20 % "
        "with Holm's correction): search/9 (a run failed, after 1 seed), search/1 (after 2 seeds, p < 0.001), "
        "search/4 (after 3 seeds, p = 0.031)."
    )


def test_without_eliminations_the_means_decided(race):
    two = race | {"candidates": race["candidates"][:2]}
    assert race_text(two).endswith("No candidate was distinguishable from the leader, search/7; the means decided.")


def test_an_interrupted_race_is_not_finished(race):
    assert race_text(race | {"over": False}) == (
        "A race of 5 candidates over fresh seeds is not finished; 13 runs so far."
    )
