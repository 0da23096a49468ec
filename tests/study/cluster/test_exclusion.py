"""Which nodes are left out, by what is lost where."""

import random

import pytest

from study.cluster.exclusion import LOSSES, Exclusion


def told() -> tuple[Exclusion, list[tuple[str, str]]]:
    found: list[tuple[str, str]] = []
    return Exclusion(lambda node, reason: found.append((node, reason))), found


def play(steps: str) -> tuple[str, ...]:
    """Steps: ``b1``, run 1 is lost on node b; ``a.``, one finishes an epoch on node a; ``a+``, one ends well there."""
    exclusion, _ = told()
    acts = {".": exclusion.went_on, "+": exclusion.went_well}
    for node, what in steps.split():
        acts[what](node) if what in acts else exclusion.lost(node, what)
    return exclusion.left_out


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("b1 b2 b3 a+", ("b",)),
        ("b1 a. b2 b3", ("b",)),
        ("b1 a. b1 b1", ("b",)),  # so that its fourth attempt begins elsewhere
        ("b1 a. b1 b1 a1", ()),  # where it is lost, too: the run is to blame, and the node is back
        ("b1 b2 b3 a. b4 a4", ("b",)),  # enough is left against the node
        ("b1 b2 a.", ()),  # two may be chance
        ("a+ b1 b2 b3", ()),  # nothing went on elsewhere since: perhaps all nodes are amiss
        ("b1 b2 b3", ()),
        ("b1 b2 b+ b3 a.", ()),  # a node on which runs come to their end is none to leave out
        ("b1 b2 b. b3 a.", ("b",)),  # an epoch is no end
        ("b1 b2 b3 c4 c5 c6 a.", ("b", "c")),
        ("b1 b2 b3 a. a4 a5 a6 b.", ("b",)),  # the last one is kept
        ("b1 a. a2 b. b3 b4 a5 a6", ("b",)),
    ],
)
def test_left_out(steps: str, expected: tuple[str, ...]) -> None:
    assert set(play(steps)) == set(expected)


def test_it_is_told_once_and_one_node_always_stays() -> None:
    for seed in range(500):
        exclusion, found = told()
        draw = random.Random(seed)
        for _ in range(80):
            node = draw.choice("abc")
            act = draw.choice((exclusion.went_on, exclusion.went_well, None, None))
            act(node) if act else exclusion.lost(node, draw.randrange(40))
            assert len(set(exclusion.left_out)) == len(exclusion.left_out) < 3
        names = [node for node, _ in found]
        assert len(set(names)) == len(names)
        assert set(exclusion.left_out) <= set(names)
        assert all(int(reason.split()[0]) >= LOSSES for _, reason in found)


def test_a_node_that_is_not_fit_is_left_out_at_once_and_for_good() -> None:
    exclusion, found = told()
    for _ in range(2):
        exclusion.refused("b", "it has other code")
    assert (exclusion.left_out, found) == (("b",), [("b", "it has other code")])
    exclusion.lost("a", 1)  # what is lost elsewhere brings no node back that is not fit
    exclusion.went_well("a")
    assert exclusion.left_out == ("b",)


def test_runs_are_counted_where_they_end() -> None:
    exclusion, _ = told()
    for node in "aab":
        exclusion.went_well(node)
    assert (exclusion.ended, exclusion.suspects) == ({"a": 2, "b": 1}, False)
    exclusion.lost("a", 1)
    assert exclusion.suspects
