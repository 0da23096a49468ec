"""The phases of a study in order, their counts and the state of the study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from study.phases.confirm import ConfirmPhase
from study.phases.phase import ControlPhase, SearchPhase
from study.phases.race import RacePhase
from trainables.runs.run_key import PhaseName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from study.phases.phase import Phase
    from study.state.directory import OpenStudy

SEARCHING = ("controls", "search")  # phases of `--until search`
STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING")
Counts = dict[PhaseName, dict[str, int]]
State = Literal["running", "interrupted", "failed", "searched", "done"]


def phases_of(study: OpenStudy) -> list[Phase]:
    """Returns the phases of a study in the order in which they start."""
    search = SearchPhase(study, study.trials_wanted)
    race = [] if study.config.confirm.race is None else [RacePhase(study, search)]
    first = [ControlPhase(study), search, *race]
    return [*first, ConfirmPhase(study, first)]


def phases_until(study: OpenStudy, until: str | None) -> list[Phase]:
    """Returns the phases that a driver carries out.

    Args:
        study: An open study.
        until: ``search`` to stop before the race and the confirmation.
    """
    return [phase for phase in phases_of(study) if is_wanted(phase.name, until)]


def is_wanted(phase: str, until: str | None) -> bool:
    """Whether a driver that stops at ``until`` carries out a phase."""
    return until != "search" or phase in SEARCHING


def counts_of(study: OpenStudy) -> Counts:
    """Returns for each phase the number of ``planned`` trials and of trials in each state."""
    counts: Counts = {}
    for phase in phases_of(study):
        names = [trial.state.name for trial in study.store.trials(phase.name)]
        counts[phase.name] = {"planned": phase.planned(), **{state: names.count(state) for state in STATES}}
    return counts


def state_of(counts: Mapping[PhaseName, Mapping[str, int]], *, held: bool, until: str | None) -> State:
    """Returns the state of a study.

    Args:
        counts: Counts as returned by ``counts_of``.
        held: Whether a driver works on the study.
        until: ``search`` if the study was launched without its confirmation.
    """
    if held:
        return "running"
    wanted = [found for name, found in counts.items() if is_wanted(name, until)]
    ended = all(found["RUNNING"] == 0 for found in wanted)
    complete = all(sum(found[state] for state in STATES) >= found["planned"] for found in wanted)
    if not (ended and complete):
        return "interrupted"
    if not counts["search"]["COMPLETE"]:
        return "failed"
    return "searched" if until == "search" else "done"
