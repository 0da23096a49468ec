"""What weakens a study's findings, in sentences: too few seeds, a winner at the edge of the space, early stopping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import best_config
from analysis.records import ResultsError
from analysis.wording import edge_notes, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.records import Results

TRIALS_PER_DIMENSION = 8
_MANY_FAILED = 0.1


def caveats(results: Results) -> tuple[str, ...]:
    """Sentences, each with what to do about it; empty where nothing is to be minded."""
    return (*_of_winner(results), *_of_search(results), *_of_confirmation(results))


def _of_winner(results: Results) -> Iterator[str]:
    try:
        best = best_config.collect(results)
    except ResultsError:
        return
    yield from edge_notes(best.arms[0])
    if best.baseline is None:
        yield "There is no cross-entropy control to compare the winner with; add controls: [{method: cross_entropy}]."


def _of_search(results: Results) -> Iterator[str]:
    trials = results.trials[results.trials["phase"] == "search"]
    failed = int((trials["state"] == "FAIL").sum())
    if len(trials) and failed / len(trials) > _MANY_FAILED:
        yield f"{number_of(failed, 'search trial')} of {len(trials)} failed: part of the space does not train."
    wanted = TRIALS_PER_DIMENSION * len(results.study["distributions"])
    done = int((trials["state"] == "COMPLETE").sum())
    if 0 < done < wanted:
        yield f"{number_of(done, 'completed search trial')} are few for this space; {wanted} would be little."
    yield from _of_scheduler(results)


def _of_scheduler(results: Results) -> Iterator[str]:
    config = results.study["config"]
    scheduler = config.get("search", {}).get("scheduler") or {"name": "none"}
    milestones, grace = config["training"].get("milestones"), scheduler.get("grace")
    if scheduler["name"] not in ("none", "halving") and milestones and grace is not None and grace <= milestones[0]:
        yield (
            f"Trials were stopped from {grace:g} of the epochs on, before the learning rate falls at "
            f"{milestones[0]:g}, where ranks still mislead."
        )


def _of_confirmation(results: Results) -> Iterator[str]:
    runs = results.confirmations
    if not runs.empty and runs["seed"].nunique() < 2:
        yield "One fresh seed says nothing about chance; confirm with at least two."
