"""Which nodes are left out, by what is lost where."""

import random

import pytest

from study.exclusion import LOSSES, Exclusion


def told() -> tuple[Exclusion, list[tuple[str, int]]]:
    found: list[tuple[str, int]] = []
    return Exclusion(lambda node, losses: found.append((node, losses))), found


def play(steps: str) -> tuple[str, ...]:
    """Steps such as ``b1`` (run 1 is lost on node b) and ``a+`` (one ends well on node a)."""
    exclusion, _ = told()
    for node, what in steps.split():
        exclusion.went_well(node) if what == "+" else exclusion.lost(node, what)
    return exclusion.left_out


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("b1 b2 b3 a+", ("b",)),
        ("b1 a+ b2 b3", ("b",)),
        ("b1 b2 a+", ()),  # two may be chance
        ("a+ b1 b2 b3", ()),  # nothing went well elsewhere since: perhaps all nodes are amiss
        ("b1 b2 b3", ()),
        ("b1 b1 b1 b1 a+", ()),  # the run is to blame
        ("b1 b2 b+ b3 a+", ()),  # a node on which runs come to their end is none to leave out
        ("b1 b2 b3 c1 c2 c3 a+", ("b", "c")),
        ("b1 b2 b3 a+ a1 a2 a3", ("b",)),  # the last one is kept
        ("b1 b2 b3 a+ b4 b5 b6 a+", ("b",)),
    ],
)
def test_left_out(steps: str, expected: tuple[str, ...]) -> None:
    assert play(steps) == expected


def test_it_is_told_once_and_one_node_always_stays() -> None:
    for seed in range(500):
        exclusion, found = told()
        draw = random.Random(seed)
        for _ in range(60):
            node = draw.choice("abc")
            if draw.random() < 0.3:
                exclusion.went_well(node)
            else:
                exclusion.lost(node, draw.randrange(9))
        names = [node for node, _ in found]
        assert names == list(exclusion.left_out)
        assert len(set(names)) == len(names) < 3
        assert all(losses >= LOSSES for _, losses in found)


def test_runs_are_counted_where_they_end() -> None:
    exclusion, _ = told()
    for node in "aab":
        exclusion.went_well(node)
    assert exclusion.ended == {"a": 2, "b": 1}
