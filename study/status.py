"""What a study is doing now, from its truth; works while its driver runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from study import lease
from study.confirm import ranked
from study.results import phases_of

if TYPE_CHECKING:
    from study.directory import Study

STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING")


def describe(study: Study) -> dict[str, Any]:
    """Counts by phase and state, the best trial so far, and whether a driver works on it; ready for JSON."""
    phases = {}
    for phase in phases_of(study):
        names = [trial.state.name for trial in study.store.trials(phase.name)]
        phases[phase.name] = {"planned": phase.planned(), **{state: names.count(state) for state in STATES}}
    held = lease.is_held(study.directory)
    best = ranked(study.config, study.store, study.directory)
    return {
        "name": study.config.name,
        "directory": str(study.directory),
        "state": _state(phases, held=held),
        "driver": str(lease.holder(study.directory)) if held else None,
        "objective": study.config.objective,
        "phases": phases,
        "best": {"trial": best[0].number, "value": best[0].value, "params": best[0].params} if best else None,
    }


def _state(phases: dict[str, dict[str, int]], *, held: bool) -> str:
    if held:
        return "running"
    ended = all(counts["RUNNING"] == 0 for counts in phases.values())
    complete = all(sum(counts[state] for state in STATES) >= counts["planned"] for counts in phases.values())
    if ended and complete:
        return "done"
    if phases["search"]["FAIL"] and not phases["search"]["COMPLETE"] and ended:
        return "failed"
    return "interrupted"
