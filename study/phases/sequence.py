"""The course of a study: its phases in order, and how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from study.phases.confirm import ConfirmPhase
from study.phases.phase import ControlPhase, SearchPhase
from study.phases.race import RacePhase
from trainables.runs.run_key import PhaseName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from study.phases.phase import Phase
    from study.state.directory import Study

SEARCHING = ("controls", "search")  # what `--until search` carries out
STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING")
Counts = dict[PhaseName, dict[str, int]]
State = Literal["running", "interrupted", "failed", "searched", "done"]


def phases_of(study: Study) -> list[Phase]:
    """The phases of a study, in the order in which they start."""
    config, store, directory = study.config, study.store, study.directory
    search = SearchPhase(config, store, directory, study.trials_wanted)
    race = [] if config.confirm.race is None else [RacePhase(config, store, directory, search)]
    first = [ControlPhase(config, store, directory), search, *race]
    return [*first, ConfirmPhase(config, store, directory, first)]


def phases_until(study: Study, until: str | None) -> list[Phase]:
    """The phases that a driver carries out.

    Args:
        study: An open study.
        until: ``search`` where it stops before the race and the confirmation.
    """
    return [phase for phase in phases_of(study) if is_wanted(phase.name, until)]


def is_wanted(phase: str, until: str | None) -> bool:
    """Whether a driver that is to stop at ``until`` carries out a phase."""
    return until != "search" or phase in SEARCHING


def counts_of(study: Study) -> Counts:
    """For each phase the planned trials, as ``planned``, and how many there are of each state."""
    counts: Counts = {}
    for phase in phases_of(study):
        names = [trial.state.name for trial in study.store.trials(phase.name)]
        counts[phase.name] = {"planned": phase.planned(), **{state: names.count(state) for state in STATES}}
    return counts


def state_of(counts: Mapping[PhaseName, Mapping[str, int]], *, held: bool, until: str | None) -> State:
    """A study's state in a word.

    Args:
        counts: As ``counts_of`` gives them.
        held: Whether a driver works on it.
        until: ``search`` where it was launched without its confirmation.
    """
    if held:
        return "running"
    wanted = [of for name, of in counts.items() if is_wanted(name, until)]
    ended = all(of["RUNNING"] == 0 for of in wanted)
    complete = all(sum(of[state] for state in STATES) >= of["planned"] for of in wanted)
    if not (ended and complete):
        return "interrupted"
    if not counts["search"]["COMPLETE"]:
        return "failed"
    return "searched" if until == "search" else "done"
