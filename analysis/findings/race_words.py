"""Describes a race over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.words.wording import number_of, probability

if TYPE_CHECKING:
    from collections.abc import Mapping


def race_text(race: Mapping[str, Any]) -> str:
    """Returns the size of a race, and which candidates were eliminated, when and why.

    Args:
        race: Race as in ``study.json``, with at least one run.
    """
    candidates, leader = race["candidates"], race["candidates"][0]["arm"]
    size = number_of(len(candidates), "candidate")
    if not race["over"]:
        return f"A race of {size} over fresh seeds is not finished; {number_of(race['runs'], 'run')} so far."
    summary = (
        f"A race selected the finalists on validation data: {size} with up to "
        f"{number_of(race['rounds'], 'fresh seed')} each, {race['runs']} of at most "
        f"{number_of(race['runs_at_most'], 'run')}."
    )
    eliminated = [
        f"{each['arm']} ({_reason(each)})" for each in reversed(candidates) if each["dropped_after"] is not None
    ]
    if not eliminated:
        return f"{summary} No candidate was distinguishable from the leader, {leader}; the means decided."
    test = f"t-tests against the current leader, finally {leader}, with seeds as blocks, at {100 * race['level']:g} %"
    return f"{summary} Eliminated ({test} with Holm's correction): {', '.join(eliminated)}."


def _reason(candidate: Mapping[str, Any]) -> str:
    if candidate["failed"]:
        return f"a run failed, after {number_of(candidate['dropped_after'], 'seed')}"
    return f"after {candidate['dropped_after']} seeds, p = {probability(candidate['p'])}".replace("= <", "< ")
