"""Hands out runs and records how they end: attempts, retries, final states. Independent of Ray."""

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
    from study.state.optuna_store import TrialStore
    from study.state.reuse import Reuse
    from study.views.listener import Listener
    from trainables.runs.assignment import Assignment

RETRIED_KINDS = ("lost", "io")
ALONE_KIND = "out_of_memory"
REFUSED_KIND = "refused"
UNCOUNTED_KINDS = ("preempted", REFUSED_KIND)  # the node's fault: not counted as a failure of the trial
FULL_KIND = "disk_full"  # not the trial's fault: the study stops, and `resume` retries the run


@dataclass(frozen=True)
class _Item:
    phase: Phase
    trial: FrozenTrial
    alone: bool = False


class Dispatcher:
    """Decides which run starts next and how each trial ends.

    Args:
        store: Trial database of the study.
        phases: Phases in the order in which their trials start.
        max_concurrent: Maximum number of concurrent runs; may change while the study runs, as nodes join and leave.
        retries: Maximum number of retries of a trial after faults that are not its own.
        prunes: Whether a scheduler may stop search trials.
        stopping: Function that returns whether the study is to stop; running trials then stay open for a resume.
        limits: Limits that may cut a phase short.
        reuse: Finished runs of other studies.
        listener: Listener that is notified of all events.
    """

    def __init__(
        self,
        store: TrialStore,
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
        """Settles the trials that an earlier driver left running and that have ended; restarts the others."""
        for phase in self._phases:
            for trial in self._store.running(phase.name):
                item, assignment = _Item(phase, trial), phase.assignment(trial)
                outcome = self._outcome(assignment)
                if outcome is not None and _settles(outcome, assignment):
                    self._settle_or_retry(item, assignment, outcome)
                else:
                    self._waiting.append(self._next_attempt(item))

    def next(self) -> Assignment | None:
        """Returns the next run; None if none can start now. ``finished`` is true if no more will come.

        Trials whose run another study has finished are settled without training.

        Raises:
            OSError: The disk has too little free space.
        """
        item = self._next_untrained()
        if item is None:
            return None
        assignment = item.phase.assignment(item.trial)
        self._in_flight[(assignment.phase, assignment.number)] = (item, assignment)
        self._listener.started(assignment)
        faultpoint("dispatcher: handed out")
        return assignment

    def _next_untrained(self) -> _Item | None:
        """Returns the next item that no other study has finished."""
        while (item := self._next_item()) is not None:
            assignment = item.phase.assignment(item.trial)
            source = self._reuse.copy_finished_run(item.trial, assignment)
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
        if len(self._in_flight) >= self.max_concurrent or self._has_exclusive_run():
            return None
        free_space.require(self._phases[0].study.directory)
        item = self._pop_item()
        if item is None:
            self.finished = not self._in_flight and not self._waiting
        return item

    def report(self, phase: str, number: int, attempt: int, epoch: int, metrics: Mapping[str, float]) -> None:
        """Records a finished epoch; reports of earlier attempts are ignored."""
        assignment = self._current(phase, number, attempt)
        if assignment is not None:
            for name in run_collection.follow(assignment):
                self._warn(assignment, name)
            self._listener.epoch(assignment, epoch, metrics)
            self._stopping()  # ends the runs once the hours of the budget are used up

    def ended(self, phase: str, number: int, attempt: int, *, error: bool, refused: str | None = None) -> None:
        """Settles a trial after its worker has ended the run, or retries it.

        Args:
            phase: Phase of the trial.
            number: Number of the trial.
            attempt: Attempt that ended; reports of earlier attempts are ignored.
            error: Whether the run raised an error or its worker died.
            refused: Reason why the node did not meet the requirements and the run did not start; None if it started.
        """
        assignment = self._current(phase, number, attempt)
        if assignment is None:
            return
        item, _ = self._in_flight.pop((phase, number))
        outcome = self._outcome(assignment)
        if outcome is not None and outcome.attempt == attempt:
            self._settle_or_retry(item, assignment, outcome)
        elif refused is not None:
            self._fail_attempt(item, assignment, f"the node does not meet the requirements: {refused}", REFUSED_KIND)
        elif error:
            self._fail_attempt(item, assignment, _why_lost(assignment))
        elif self._stopping():
            pass  # the trial stays open for the resume
        elif self._prunes and phase == "search" and RunDirectory(assignment.directory).epochs():
            self._prune(item, assignment)
        else:
            self._fail_attempt(
                item, assignment, f"no outcome in {assignment.directory}; do all nodes share this folder?"
            )

    def _pop_item(self) -> _Item | None:
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

    def _fail_attempt(self, item: _Item, assignment: Assignment, why: str, kind: str = "lost") -> None:
        lost = Outcome("failed", assignment.attempt, 0, error=why, error_kind=kind)
        self._settle_or_retry(item, assignment, lost)

    def _settle_or_retry(self, item: _Item, assignment: Assignment, outcome: Outcome) -> None:
        if outcome.error_kind == FULL_KIND:
            raise free_space.disk_full_error(assignment.directory)
        if outcome.state != "failed" or not self._may_retry(item, outcome.error_kind):
            self._settle(item, assignment, outcome)
            return
        if outcome.error_kind not in UNCOUNTED_KINDS:
            failures = item.trial.user_attrs.get(TrialAttribute.FAILURES, 0) + 1
            self._store.set_attribute(item.trial, TrialAttribute.FAILURES, failures)
        self._waiting.append(self._next_attempt(item, alone=outcome.error_kind == ALONE_KIND))
        self._listener.retried(assignment, outcome.error or "")

    def _may_retry(self, item: _Item, kind: str | None) -> bool:
        failures = item.trial.user_attrs.get(TrialAttribute.FAILURES, 0)
        if kind == ALONE_KIND:
            return not item.alone and failures < self._retries
        return kind in UNCOUNTED_KINDS or (kind in RETRIED_KINDS and failures < self._retries)

    def _next_attempt(self, item: _Item, *, alone: bool = False) -> _Item:
        self._store.set_attribute(item.trial, TrialAttribute.ATTEMPT, item.trial.user_attrs[TrialAttribute.ATTEMPT] + 1)
        faultpoint("dispatcher: attempt counted")
        trial = self._store.trials(item.phase.name)[item.trial.number]
        self._warn_of_damage(item.phase.assignment(trial))
        return _Item(item.phase, trial, alone)

    def _warn_of_damage(self, assignment: Assignment) -> None:
        """Warns that a run will repeat epochs because files are damaged."""
        for name in RunDirectory(assignment.directory).damaged():
            self._warn(assignment, name)

    def _warn(self, assignment: Assignment, name: str) -> None:
        self._listener.warned(assignment, f"{name} is damaged; the run resumes from the last intact state before it")

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
        value = last.metrics.get(item.phase.objectives[0])  # no scheduler stops trials with several objectives
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

    def _has_exclusive_run(self) -> bool:
        return any(item.alone for item, _ in self._in_flight.values())

    def _outcome(self, assignment: Assignment) -> Outcome | None:
        run_collection.collect(assignment, self._stopping)
        return RunDirectory(assignment.directory).outcome()


def _settles(outcome: Outcome, assignment: Assignment) -> bool:
    """Whether an outcome that an earlier driver left ends the trial or counts as a failure of it."""
    if outcome.error_kind == FULL_KIND:
        return False
    return outcome.state != "failed" or outcome.attempt == assignment.attempt


def _why_lost(assignment: Assignment) -> str:
    report = RunDirectory(assignment.directory).hang_report(assignment.attempt)
    if not report.exists() or not report.stat().st_size:
        return "the worker process was lost"
    limit = (assignment.patience_seconds or 0) / 3600
    return f"no epoch finished within {limit:g} h, so the process was ended; {report} holds its stack trace"
