"""Writes the events of a study as JSON lines, for scripts."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trainables.runs.assignment import Assignment


class Events:
    """Listener that writes a JSON object for each event.

    Every object has ``time``, in seconds since 1970, and ``event``. Events of a run have ``phase``, ``trial`` and
    ``attempt``, too. Further keys by event:

    * ``started``: ``method``, the options of the run's method.
    * ``taken_over``: ``source``, the run whose epochs are reused.
    * ``epoch``: ``epoch``, counted from 1, and ``metrics``.
    * ``settled``: ``state``, ``value`` and ``error``.
    * ``retried``: ``error``.
    * ``warned``: ``text``.
    * ``cut_short``: ``phase`` and ``reason``.
    * ``left_out``: ``node``, which gets no more runs, and ``reason``.

    If a line cannot be written (closed pipe, full disk), this is reported once and the study continues without events.

    Args:
        out: Stream that gets the lines; it is flushed after each.
        say: Function that reports a write error to the user.
    """

    def __init__(self, out: TextIO, say: Callable[[str], None]) -> None:
        self._out: TextIO | None = out
        self._say = say

    def started(self, assignment: Assignment) -> None:
        """A run was assigned to a worker."""
        self._write_of_run(assignment, "started", method=assignment.config.method.model_dump(mode="json"))

    def taken_over(self, assignment: Assignment, source: str) -> None:
        """A run reuses the epochs of an identical run of another study and is not trained."""
        self._write_of_run(assignment, "taken_over", source=source)

    def epoch(self, assignment: Assignment, epoch: int, metrics: Mapping[str, float]) -> None:
        """A run finished an epoch."""
        self._write_of_run(assignment, "epoch", epoch=epoch, metrics=dict(metrics))

    def settled(self, assignment: Assignment, state: str, value: float | None, error: str | None) -> None:
        """A trial reached its final state."""
        self._write_of_run(assignment, "settled", state=state, value=value, error=error)

    def retried(self, assignment: Assignment, error: str) -> None:
        """A run was lost and will be retried."""
        self._write_of_run(assignment, "retried", error=error)

    def warned(self, assignment: Assignment, text: str) -> None:
        """A run reported a problem and continues."""
        self._write_of_run(assignment, "warned", text=text)

    def cut_short(self, phase: str, reason: str) -> None:
        """A phase ended before all of its runs."""
        self._write("cut_short", phase=phase, reason=reason)

    def left_out(self, node: str, reason: str) -> None:
        """A node was excluded and gets no more runs."""
        self._write("left_out", node=node, reason=reason)

    def _write_of_run(self, assignment: Assignment, event: str, **details: Any) -> None:
        self._write(event, phase=assignment.phase, trial=assignment.number, attempt=assignment.attempt, **details)

    def _write(self, event: str, **details: Any) -> None:
        if self._out is None:
            return
        line = json.dumps({"time": round(time.time(), 3), "event": event, **details})
        try:
            print(line, file=self._out, flush=True)
        except OSError as error:
            self._out = None
            self._say(f"events are no longer written: {error.strerror}; the study continues")
