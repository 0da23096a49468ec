"""Fake executor: runs a dispatcher's assignments in this process, epoch by epoch in random order."""

import errno
import random
from collections.abc import Callable
from types import ModuleType
from unittest.mock import patch

from analysis.plots import history
from analysis.report import figures
from study.driver.dispatcher import Dispatcher
from study.outcome.result_files import write_results
from study.phases.limits import Limits
from study.phases.sequence import phases_until
from study.search.pruning import pruner_of
from study.state.reuse import Reuse
from tests.kit.fakes.toy import ToyRun
from trainables.errors import PreemptedError
from trainables.runs.assignment import Assignment
from trainables.runs.run_directory import EpochRow, Outcome
from trainables.tune import failure, files_of

ERRORS = {
    "io": OSError("the disk went away"),
    "preempted": PreemptedError("its node is being drained"),
    "full": OSError(errno.ENOSPC, "No space left on device"),
    "out_of_memory": MemoryError("out of memory"),
    "wrong": ValueError("a wrong option"),
}


def _one_figure() -> dict[str, ModuleType]:
    """One figure a report, for drawing all takes seconds."""
    return {"history": history}


class DriverKilledError(Exception):
    """Simulates a killed driver, without any clean-up."""


class Watcher:
    """Listener that records ``events`` as (kind, phase, number, attempt, detail)."""

    def __init__(self) -> None:
        self.events: list[tuple] = []

    def _note(self, kind, assignment, detail=None) -> None:
        self.events.append((kind, assignment.phase, assignment.number, assignment.attempt, detail))

    def started(self, assignment) -> None:
        self._note("started", assignment)

    def taken_over(self, assignment, source) -> None:
        self._note("taken_over", assignment, source)

    def epoch(self, assignment, epoch, metrics) -> None:
        self._note("epoch", assignment, epoch)

    def settled(self, assignment, state, value, error) -> None:
        self._note("settled", assignment, state)

    def retried(self, assignment, error) -> None:
        self._note("retried", assignment, error)

    def warned(self, assignment, text) -> None:
        self._note("warned", assignment, text)

    def cut_short(self, phase, reason) -> None:
        self.events.append(("cut_short", phase, reason))

    def left_out(self, node, reason) -> None:
        self.events.append(("left_out", node, reason))

    def of(self, kind: str) -> list[tuple]:
        return [event[1:] for event in self.events if event[0] == kind]


def no_fault(assignment: Assignment, epoch: int) -> None:
    """Injects no fault."""


class Executor:
    """Runs a study to its end, or until a fault kills the driver.

    Args:
        study: Open study.
        fault: Function called before each epoch; returns None, ``lost`` (worker), ``refused`` (by its node), ``stop``
            (by a scheduler), ``nan``, ``driver``, or a key of ``ERRORS``.
        slots: Number of concurrent runs.
        seed: Seed of the order in which running trials advance.
        until: Last phase; ``search`` omits the confirmation.
        retries: Number of retries per run.
        prunes: Whether the study has a scheduler that prunes.
        listener: Listener of the dispatcher; a ``Watcher`` by default.
    """

    def __init__(
        self,
        study,
        fault: Callable[[Assignment, int], str | None] = no_fault,
        *,
        slots: int = 2,
        seed: int = 0,
        until: str = "confirm",
        retries: int = 3,
        prunes: bool = False,
        listener=None,
    ) -> None:
        self.watcher = listener or Watcher()
        self.stopping = False
        self._pruner = pruner_of(study)
        self.dispatcher = Dispatcher(
            study.store,
            phases_until(study, until),
            max_concurrent=slots,
            retries=retries,
            prunes=prunes or self._pruner is not None,
            stopping=lambda: self.stopping,
            limits=Limits(study),
            reuse=Reuse(study),
            listener=self.watcher,
        )
        self._study = study
        self._fault = fault
        self._order = random.Random(seed)
        self.most_running = 0

    def run(self) -> "Executor":
        self.dispatcher.recover()
        running: list[ToyRun] = []
        while True:
            while (assignment := self.dispatcher.next()) is not None:
                running.append(self._opened(assignment))
            self.most_running = max(self.most_running, len(running))
            if not running:
                assert self.dispatcher.finished
                with patch.object(figures, "available", _one_figure):
                    write_results(self._study)
                return self
            run = running.pop(self._order.randrange(len(running)))
            if self._advance(run):
                run.directory.discard()
            else:
                running.append(run)

    @staticmethod
    def _opened(assignment) -> ToyRun:
        files = files_of(assignment)
        files.restore()
        return ToyRun(assignment, files)

    def _advance(self, run: ToyRun) -> bool:
        """Runs one epoch; returns whether the run has ended for any reason."""
        assignment = run.assignment
        fault = self._fault(assignment, run.epoch + 1)
        if fault == "driver":
            raise DriverKilledError
        if fault in ERRORS:
            run.directory.write_outcome(failure(ERRORS[fault], assignment.attempt))
        if fault in ("lost", "refused", "stop", *ERRORS):
            self._ended(assignment, error=fault != "stop", refused="it has other code" if fault == "refused" else None)
            return True
        run.fault = {"nan": run.epoch + 1} if fault == "nan" else {}
        reported = run.advance()
        if not isinstance(reported, Outcome):
            self.dispatcher.report(
                assignment.phase, assignment.number, assignment.attempt, reported.epoch, reported.metrics
            )
            if self._is_stopped(assignment, reported):
                self._ended(assignment, error=False)
                return True
            return False
        self._ended(assignment, error=False)
        return True

    def _is_stopped(self, assignment: Assignment, row: EpochRow) -> bool:
        search = self._pruner is not None and assignment.phase == "search"
        return search and self._pruner.stops(assignment.number, row.epoch, row.metrics)

    def _ended(self, assignment, *, error: bool, refused: str | None = None) -> None:
        run = (assignment.phase, assignment.number, assignment.attempt)
        self.dispatcher.ended(*run, error=error, refused=refused)
