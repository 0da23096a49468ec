"""Writes what happens in a study as JSON lines, for scripts."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trainables.runs.assignment import Assignment


class Events:
    """Writes a line for each event: ``time`` in seconds since 1970, ``event``, and what belongs to it.

    ``started``, ``taken_over`` (with ``source``), ``epoch`` (with ``epoch`` and ``metrics``), ``settled`` (``state``,
    ``value``, ``error``), ``retried`` (``error``) name ``phase``, ``trial`` and ``attempt``; ``cut_short`` names
    ``phase`` and ``reason``; ``left_out`` names a ``node`` that gets no more runs, and the ``reason``.

    A reader that goes away, or a full disk, is said once and does not end the study.

    Args:
        out: Where the lines go; each is flushed.
        say: Where it is said that they can go no more.
    """

    def __init__(self, out: TextIO, say: Callable[[str], None]) -> None:
        self._out: TextIO | None = out
        self._say = say

    def started(self, assignment: Assignment) -> None:
        """A run was handed out."""
        self._of(assignment, "started", method=assignment.config.method.model_dump(mode="json"))

    def taken_over(self, assignment: Assignment, source: str) -> None:
        """A run has the epochs of the same one of another study and is not trained."""
        self._of(assignment, "taken_over", source=source)

    def epoch(self, assignment: Assignment, epoch: int, metrics: Mapping[str, float]) -> None:
        """A run finished an epoch."""
        self._of(assignment, "epoch", epoch=epoch, metrics=dict(metrics))

    def settled(self, assignment: Assignment, state: str, value: float | None, error: str | None) -> None:
        """A trial has its final state."""
        self._of(assignment, "settled", state=state, value=value, error=error)

    def retried(self, assignment: Assignment, error: str) -> None:
        """A run was lost and will be tried again."""
        self._of(assignment, "retried", error=error)

    def warned(self, assignment: Assignment, text: str) -> None:
        """A run goes on although something is amiss."""
        self._of(assignment, "warned", text=text)

    def cut_short(self, phase: str, reason: str) -> None:
        """A phase has no more runs than it has now."""
        self._write("cut_short", phase=phase, reason=reason)

    def left_out(self, node: str, reason: str) -> None:
        """A node of the cluster gets no more runs."""
        self._write("left_out", node=node, reason=reason)

    def _of(self, assignment: Assignment, event: str, **details: Any) -> None:
        self._write(event, phase=assignment.phase, trial=assignment.number, attempt=assignment.attempt, **details)

    def _write(self, event: str, **details: Any) -> None:
        if self._out is None:
            return
        line = json.dumps({"time": round(time.time(), 3), "event": event, **details})
        try:
            print(line, file=self._out, flush=True)
        except OSError as error:
            self._out = None
            self._say(f"events are written no more: {error.strerror}; the study goes on")
