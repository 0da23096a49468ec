"""Lists what weakens a study's findings: too few seeds, a winner at the edge of the space, early stopping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.findings import best_config
from analysis.findings.table_notes import edge_notes
from analysis.records import frames
from analysis.records.parameters import searched
from analysis.records.result_files import ResultsError
from analysis.words.wording import number_of
from search_spaces.symbols import symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from analysis.records.parameters import Parameter
    from analysis.records.result_files import Results

TRIALS_PER_DIMENSION = 8
_MANY_FAILED = 0.1
_FEWEST_FAILURES = 2  # that show where training fails
_NEAR = 0.15  # of each range


def caveats(results: Results) -> tuple[str, ...]:
    """Returns one caveat per sentence, with what to do about it if something can be done; empty if there are none."""
    return (*_winner_caveats(results), *_search_caveats(results), *_confirmation_caveats(results))


def _winner_caveats(results: Results) -> Iterator[str]:
    try:
        best = best_config.collect(results)
    except ResultsError:
        return
    yield from edge_notes(best.arms[0])
    yield from _neighbourhood_caveats(results, best.arms[0].name)
    if best.baseline is None:
        yield "There is no cross-entropy control to compare the winner with; add controls: [{method: cross_entropy}]."


def _neighbourhood_caveats(results: Results, winner: str) -> Iterator[str]:
    """Yields a caveat if fewer trials than parameters lie near the winner: too few for a slope in each direction."""
    ranges, best = _ranges(results), frames.trial(results, winner)
    trials = results.trials[(results.trials["phase"] == "search") & (results.trials["state"] == "COMPLETE")]
    if not ranges or len(best) != 1 or str(best["phase"].iloc[0]) != "search":
        return
    near = np.ones(len(trials), dtype=bool)
    for parameter in ranges:
        place = parameter.unit(best[f"params/{parameter.name}"].to_numpy(dtype=float))
        near &= np.abs(parameter.unit(trials[f"params/{parameter.name}"].to_numpy(dtype=float)) - place) <= _NEAR
    others = int(near.sum()) - 1
    if others < len(ranges):
        count = number_of(others, "other trial") if others else "no other trial"
        yield (
            f"Within {100 * _NEAR:.0f} % of each range around {winner}, {count} completed, so the sharpness of the "
            "optimum is unknown; `cskd narrow` writes a study around it."
        )


def _ranges(results: Results) -> list[Parameter]:
    return [parameter for parameter in searched(results) if parameter.spans and not parameter.choices]


def _failing_side(results: Results, trials: pd.DataFrame) -> str:
    """Returns the side of a range on which all failures lie and no trial completed, as text; empty if there is none."""
    failed, done = (trials[trials["state"] == state] for state in ("FAIL", "COMPLETE"))
    if len(failed) < _FEWEST_FAILURES or done.empty:
        return ""
    for parameter in _ranges(results):
        column, shown = f"params/{parameter.name}", symbol(parameter.name).text
        if failed[column].min() > done[column].max():
            return f", all with {shown} of {failed[column].min():.3g} or more, where none completed"
        if failed[column].max() < done[column].min():
            return f", all with {shown} of {failed[column].max():.3g} or less, where none completed"
    return ""


def _search_caveats(results: Results) -> Iterator[str]:
    trials = results.trials[results.trials["phase"] == "search"]
    failed = int((trials["state"] == "FAIL").sum())
    if len(trials) and failed / len(trials) > _MANY_FAILED:
        where = _failing_side(results, trials)
        yield (
            f"{number_of(failed, 'search trial')} of {len(trials)} failed{where}: training fails in a part of the "
            "space."
        )
    wanted = TRIALS_PER_DIMENSION * len(results.study["distributions"])
    done = int((trials["state"] == "COMPLETE").sum())
    if 0 < done < wanted:
        yield f"Few search trials completed for this space: {done}; {wanted} or more are better."
    yield from _scheduler_caveats(results)


def _scheduler_caveats(results: Results) -> Iterator[str]:
    config = results.study["config"]
    scheduler = config.get("search", {}).get("scheduler") or {"name": "none"}
    milestones, grace = config["training"].get("milestones"), scheduler.get("grace")
    if scheduler["name"] not in ("none", "halving") and milestones and grace is not None and grace <= milestones[0]:
        yield (
            f"Trials were stopped from {grace:g} of the epochs on, before the learning rate drops at "
            f"{milestones[0]:g}; ranks before the drop are unreliable."
        )


def _confirmation_caveats(results: Results) -> Iterator[str]:
    runs = results.confirmations
    if not runs.empty and runs["seed"].nunique() < 2:
        yield "One fresh seed allows no test; confirm with at least two."
