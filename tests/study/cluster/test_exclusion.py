"""Tests which nodes are excluded, depending on where runs are lost."""

import random

import pytest

from study.cluster.exclusion import LOSSES, Exclusion


def recorded() -> tuple[Exclusion, list[tuple[str, str]]]:
    found: list[tuple[str, str]] = []
    return Exclusion(lambda node, reason: found.append((node, reason))), found


def play(steps: str) -> tuple[str, ...]:
    """Steps: ``b1``: run 1 is lost on node b; ``a.``: a run finishes an epoch on node a; ``a+``: a run ends there."""
    exclusion, _ = recorded()
    acts = {".": exclusion.epoch_finished, "+": exclusion.run_ended}
    for node, what in steps.split():
        acts[what](node) if what in acts else exclusion.run_lost(node, what)
    return exclusion.excluded


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("b1 b2 b3 a+", ("b",)),
        ("b1 a. b2 b3", ("b",)),
        ("b1 a. b1 b1", ("b",)),  # so that the fourth attempt starts on another node
        ("b1 a. b1 b1 a1", ()),  # lost there, too: the run is at fault, and the node is included again
        ("b1 b2 b3 a. b4 a4", ("b",)),  # three other losses still count against the node
        ("b1 b2 a.", ()),  # two losses may be chance
        ("a+ b1 b2 b3", ()),  # no epoch elsewhere since: perhaps all nodes are broken
        ("b1 b2 b3", ()),
        ("b1 b2 b+ b3 a.", ()),  # a node on which runs end is not excluded
        ("b1 b2 b. b3 a.", ("b",)),  # an epoch is not the end of a run
        ("b1 b2 b3 c4 c5 c6 a.", ("b", "c")),
        ("b1 b2 b3 a. a4 a5 a6 b.", ("b",)),  # the last node is kept
        ("b1 a. a2 b. b3 b4 a5 a6", ("b",)),
    ],
)
def test_excluded_nodes(steps: str, expected: tuple[str, ...]) -> None:
    assert set(play(steps)) == set(expected)


def test_an_exclusion_is_reported_once_and_one_node_always_remains() -> None:
    for seed in range(500):
        exclusion, found = recorded()
        draw = random.Random(seed)
        for _ in range(80):
            node = draw.choice("abc")
            act = draw.choice((exclusion.epoch_finished, exclusion.run_ended, None, None))
            act(node) if act else exclusion.run_lost(node, draw.randrange(40))
            assert len(set(exclusion.excluded)) == len(exclusion.excluded) < 3
        names = [node for node, _ in found]
        assert len(set(names)) == len(names)
        assert set(exclusion.excluded) <= set(names)
        assert all(int(reason.split()[0]) >= LOSSES for _, reason in found)


def test_an_unfit_node_is_excluded_at_once_and_permanently() -> None:
    exclusion, found = recorded()
    for _ in range(2):
        exclusion.node_refused("b", "it has other code")
    assert (exclusion.excluded, found) == (("b",), [("b", "it has other code")])
    exclusion.run_lost("a", 1)  # losses elsewhere do not include an unfit node again
    exclusion.run_ended("a")
    assert exclusion.excluded == ("b",)


def test_ended_runs_are_counted_per_node() -> None:
    exclusion, _ = recorded()
    for node in "aab":
        exclusion.run_ended(node)
    assert (exclusion.ended, exclusion.has_losses) == ({"a": 2, "b": 1}, False)
    exclusion.run_lost("a", 1)
    assert exclusion.has_losses
