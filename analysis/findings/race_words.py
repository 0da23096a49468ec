"""How a race over seeds went, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.words.wording import number_of, probability

if TYPE_CHECKING:
    from collections.abc import Mapping


def words(race: Mapping[str, Any]) -> str:
    """Its size, and who dropped out when and why.

    Args:
        race: As ``study.json`` holds it, with at least one run.
    """
    candidates, leader = race["candidates"], race["candidates"][0]["arm"]
    size = number_of(len(candidates), "candidate")
    if not race["over"]:
        return f"A race of {size} over fresh seeds is not over; {number_of(race['runs'], 'run')} so far."
    told = (
        f"A race chose the finalists on validation: {size} with up to {number_of(race['rounds'], 'fresh seed')} each, "
        f"{race['runs']} of at most {number_of(race['runs_at_most'], 'run')}."
    )
    gone = [f"{each['arm']} ({_why_gone(each)})" for each in reversed(candidates) if each["dropped_after"] is not None]
    if not gone:
        return f"{told} None could be told from the leader, {leader}; the means decided."
    test = f"t tests against the leader, in the end {leader}, seeds as blocks, {100 * race['level']:g} %"
    return f"{told} Dropped out ({test} with Holm's correction): {', '.join(gone)}."


def _why_gone(candidate: Mapping[str, Any]) -> str:
    if candidate["failed"]:
        return f"a run failed, of {number_of(candidate['dropped_after'], 'seed')}"
    return f"after {candidate['dropped_after']} seeds, p = {probability(candidate['p'])}".replace("= <", "< ")
