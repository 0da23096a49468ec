"""Hands out runs and settles them: retries, attempts, final states. Knows no Ray, so that it can be tested without."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from study.machine import free_space
from study.phases import limits
from study.state import run_collection
from study.state.attribute_names import TrialAttribute
from trainables.files.faultpoints import faultpoint
from trainables.runs.run_directory import Outcome, RunDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna.trial import FrozenTrial

    from study.phases.limits import Limits
    from study.phases.phase import Phase
    from study.state.optuna_store import Store
    from study.state.reuse import Reuse
    from study.views.listener import Listener
    from trainables.runs.assignment import Assignment

RETRIED_KINDS = ("lost", "io")
ALONE_KIND = "out_of_memory"
REFUSED_KIND = "refused"
BLAMELESS_KINDS = ("preempted", REFUSED_KIND)  # the node was taken away, or was not fit: not counted against the trial
FULL_KIND = "disk_full"  # no fault of the trial's: the study stops, and a resume tries it again


@dataclass(frozen=True)
class _Item:
    phase: Phase
    trial: FrozenTrial
    alone: bool = False


class Dispatcher:
    """The state of a running study on the driver.

    Args:
        store: The study's trials.
        phases: In the order in which trials are started.
        max_concurrent: Runs at once; may be changed while the study runs, as nodes come and go.
        retries: How often a trial is tried again after a fault that is not its own.
        prunes: Whether a scheduler may stop search trials.
        stopping: Tells whether the user has asked to stop; running trials then stay open for a resume.
        limits: What may cut a phase short.
        reuse: What other studies have finished.
        listener: Who watches.
    """

    def __init__(
        self,
        store: Store,
        phases: Sequence[Phase],
        *,
        max_concurrent: int,
        retries: int,
        prunes: bool,
        stopping: Callable[[], bool],
        limits: Limits,
        reuse: Reuse,
        listener: Listener,
    ) -> None:
        self._store = store
        self._phases = phases
        self.max_concurrent = max_concurrent
        self._retries = retries
        self._prunes = prunes
        self._limits = limits
        self._reuse = reuse
        self._listener = listener
        self._in_flight: dict[tuple[str, int], tuple[_Item, Assignment]] = {}
        self._waiting: deque[_Item] = deque()
        self._stopping = stopping
        self.finished = False

    def recover(self) -> None:
        """Takes up the trials that an earlier driver left running: settles what had ended, hands out the rest again."""
        for phase in self._phases:
            for trial in self._store.running(phase.name):
                item, assignment = _Item(phase, trial), phase.assignment(trial)
                outcome = self._outcome(assignment)
                if outcome is not None and _settles(outcome, assignment):
                    self._settle_or_retry(item, assignment, outcome)
                else:
                    self._waiting.append(self._next_attempt(item))

    def next(self) -> Assignment | None:
        """The next run; None when none can be handed out now. ``finished`` tells whether any will come.

        Runs that another study has finished are settled on the way.

        Raises:
            OSError: There is next to no room on the disk for it.
        """
        item = self._untrained()
        if item is None:
            return None
        assignment = item.phase.assignment(item.trial)
        self._in_flight[(assignment.phase, assignment.number)] = (item, assignment)
        self._listener.started(assignment)
        faultpoint("dispatcher: handed out")
        return assignment

    def _untrained(self) -> _Item | None:
        """Takes runs until one is to be trained."""
        while (item := self._next_item()) is not None:
            assignment = item.phase.assignment(item.trial)
            source = self._reuse.takes_over(item.trial, assignment)
            outcome = None if source is None else self._outcome(assignment)
            if source is None or outcome is None:
                return item
            self._listener.taken_over(assignment, source)
            self._settle(item, assignment, outcome)
        return None

    def _next_item(self) -> _Item | None:
        if self._stopping():
            self.finished = not self._in_flight
            return None
        if len(self._in_flight) >= self.max_concurrent or self._someone_is_alone():
            return None
        free_space.require(self._phases[0].directory)
        item = self._take()
        if item is None:
            self.finished = not self._in_flight and not self._waiting
        return item

    def report(self, phase: str, number: int, attempt: int, epoch: int, metrics: Mapping[str, float]) -> None:
        """Takes note of an epoch; late news of an earlier attempt are ignored."""
        assignment = self._current(phase, number, attempt)
        if assignment is not None:
            for name in run_collection.follow(assignment):
                self._warn(assignment, name)
            self._listener.epoch(assignment, epoch, metrics)
            self._stopping()  # may find that the time is over

    def ended(self, phase: str, number: int, attempt: int, *, error: bool, refused: str | None = None) -> None:
        """A run's process is done with it: settles the trial by its outcome, or tries it again.

        Args:
            phase: Of the trial.
            number: Of the trial.
            attempt: Of the run; late news of an earlier one are ignored.
            error: Whether the run raised or its worker died.
            refused: Why its node was not fit for it, so that it did not begin.
        """
        assignment = self._current(phase, number, attempt)
        if assignment is None:
            return
        item, _ = self._in_flight.pop((phase, number))
        outcome = self._outcome(assignment)
        if outcome is not None and outcome.attempt == attempt:
            self._settle_or_retry(item, assignment, outcome)
        elif refused is not None:
            self._lose(item, assignment, f"a node is not fit: {refused}", REFUSED_KIND)
        elif error:
            self._lose(item, assignment, _why_lost(assignment))
        elif self._stopping():
            pass  # left open for the resume
        elif self._prunes and phase == "search" and RunDirectory(assignment.directory).epochs():
            self._prune(item, assignment)
        else:
            self._lose(item, assignment, f"no outcome in {assignment.directory}; do all nodes share this folder?")

    def _take(self) -> _Item | None:
        if self._waiting:
            if self._waiting[0].alone and self._in_flight:
                return None
            return self._waiting.popleft()
        for phase in self._phases:
            trial = None if self._is_cut_short(phase) else phase.start_next()
            if trial is not None:
                return _Item(phase, trial)
        return None

    def _is_cut_short(self, phase: Phase) -> bool:
        runs = phase.upcoming()
        reason = self._limits.reason(phase.name, runs) if runs else None
        if reason is not None:
            limits.cut_short(self._store, phase.name, len(self._store.trials(phase.name)), reason)
            faultpoint("limits: cut short")
            self._listener.cut_short(phase.name, reason)
        return reason is not None

    def _lose(self, item: _Item, assignment: Assignment, why: str, kind: str = "lost") -> None:
        lost = Outcome("failed", assignment.attempt, 0, error=why, error_kind=kind)
        self._settle_or_retry(item, assignment, lost)

    def _settle_or_retry(self, item: _Item, assignment: Assignment, outcome: Outcome) -> None:
        if outcome.error_kind == FULL_KIND:
            raise free_space.lack(assignment.directory)
        if outcome.state != "failed" or not self._may_retry(item, outcome.error_kind):
            self._settle(item, assignment, outcome)
            return
        if outcome.error_kind not in BLAMELESS_KINDS:
            failures = item.trial.user_attrs.get(TrialAttribute.FAILURES, 0) + 1
            self._store.set_attribute(item.trial, TrialAttribute.FAILURES, failures)
        self._waiting.append(self._next_attempt(item, alone=outcome.error_kind == ALONE_KIND))
        self._listener.retried(assignment, outcome.error or "")

    def _may_retry(self, item: _Item, kind: str | None) -> bool:
        failures = item.trial.user_attrs.get(TrialAttribute.FAILURES, 0)
        if kind == ALONE_KIND:
            return not item.alone and failures < self._retries
        return kind in BLAMELESS_KINDS or (kind in RETRIED_KINDS and failures < self._retries)

    def _next_attempt(self, item: _Item, *, alone: bool = False) -> _Item:
        self._store.set_attribute(item.trial, TrialAttribute.ATTEMPT, item.trial.user_attrs[TrialAttribute.ATTEMPT] + 1)
        faultpoint("dispatcher: attempt counted")
        trial = self._store.trials(item.phase.name)[item.trial.number]
        self._warn_of_damage(item.phase.assignment(trial))
        return _Item(item.phase, trial, alone)

    def _warn_of_damage(self, assignment: Assignment) -> None:
        """Says that a run goes on from an earlier epoch than it had come to."""
        for name in RunDirectory(assignment.directory).damaged():
            self._warn(assignment, name)

    def _warn(self, assignment: Assignment, name: str) -> None:
        self._listener.warned(assignment, f"{name} is damaged; the run goes on from what is whole before it")

    def _settle(self, item: _Item, assignment: Assignment, outcome: Outcome) -> None:
        values, error = None, outcome.error
        if outcome.state == "finished":
            missing = [name for name in item.phase.objectives if name not in outcome.metrics]
            if missing:
                error = f"the run reported no {' and no '.join(missing)}"
            else:
                values = [outcome.metrics[name] for name in item.phase.objectives]
        state = TrialState.FAIL if values is None else item.phase.state_of_finished(item.trial)
        self._tell(item, assignment, state, values, outcome.epoch, error)

    def _prune(self, item: _Item, assignment: Assignment) -> None:
        last = RunDirectory(assignment.directory).epochs()[-1]
        value = last.metrics.get(item.phase.objectives[0])  # no scheduler stops a trial with several
        self._tell(item, assignment, TrialState.PRUNED, None if value is None else [value], last.epoch, None)

    def _tell(
        self,
        item: _Item,
        assignment: Assignment,
        state: TrialState,
        values: list[float] | None,
        epoch: int,
        error: str | None,
    ) -> None:
        source = RunDirectory(assignment.directory).source()
        if source is not None:
            self._store.set_attribute(item.trial, TrialAttribute.REUSED_FROM, source)
        self._store.tell(item.trial, state, values, epoch, error)
        self._limits.note()
        self._listener.settled(assignment, state.name, values[0] if values else None, error)

    def _current(self, phase: str, number: int, attempt: int) -> Assignment | None:
        found = self._in_flight.get((phase, number))
        return found[1] if found is not None and found[1].attempt == attempt else None

    def _someone_is_alone(self) -> bool:
        return any(item.alone for item, _ in self._in_flight.values())

    def _outcome(self, assignment: Assignment) -> Outcome | None:
        run_collection.collect(assignment, self._stopping)
        return RunDirectory(assignment.directory).outcome()


def _settles(outcome: Outcome, assignment: Assignment) -> bool:
    """Whether the outcome that an earlier driver left is the trial's end, or counts against it."""
    if outcome.error_kind == FULL_KIND:
        return False
    return outcome.state != "failed" or outcome.attempt == assignment.attempt


def _why_lost(assignment: Assignment) -> str:
    report = RunDirectory(assignment.directory).hang_report(assignment.attempt)
    if not report.exists() or not report.stat().st_size:
        return "the worker process was lost"
    limit = (assignment.patience_seconds or 0) / 3600
    return f"no epoch within {limit:g} h, so its process was ended; {report} says where it stood"
