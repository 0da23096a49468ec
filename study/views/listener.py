"""Protocol for objects that are notified about a study's runs, and a listener that forwards events to several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainables.runs.assignment import Assignment


class Listener(Protocol):
    """Protocol for objects that are notified about a study's runs."""

    def started(self, assignment: Assignment) -> None:
        """A run was assigned to a worker."""

    def taken_over(self, assignment: Assignment, source: str) -> None:
        """A run reuses the epochs of an identical run of another study and is not trained."""

    def epoch(self, assignment: Assignment, epoch: int, metrics: Mapping[str, float]) -> None:
        """A run finished an epoch."""

    def settled(self, assignment: Assignment, state: str, value: float | None, error: str | None) -> None:
        """A trial reached its final state."""

    def retried(self, assignment: Assignment, error: str) -> None:
        """A run was lost and will be retried."""

    def warned(self, assignment: Assignment, text: str) -> None:
        """A run reported a problem and continues."""

    def cut_short(self, phase: str, reason: str) -> None:
        """A phase ended before all of its runs."""

    def left_out(self, node: str, reason: str) -> None:
        """A node was excluded and gets no more runs."""


class Listeners:
    """Listener that forwards every event to several listeners.

    Args:
        listeners: Listeners in the order in which they are notified.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    def started(self, assignment: Assignment) -> None:
        """A run was assigned to a worker."""
        for listener in self._listeners:
            listener.started(assignment)

    def taken_over(self, assignment: Assignment, source: str) -> None:
        """A run reuses the epochs of an identical run of another study and is not trained."""
        for listener in self._listeners:
            listener.taken_over(assignment, source)

    def epoch(self, assignment: Assignment, epoch: int, metrics: Mapping[str, float]) -> None:
        """A run finished an epoch."""
        for listener in self._listeners:
            listener.epoch(assignment, epoch, metrics)

    def settled(self, assignment: Assignment, state: str, value: float | None, error: str | None) -> None:
        """A trial reached its final state."""
        for listener in self._listeners:
            listener.settled(assignment, state, value, error)

    def retried(self, assignment: Assignment, error: str) -> None:
        """A run was lost and will be retried."""
        for listener in self._listeners:
            listener.retried(assignment, error)

    def warned(self, assignment: Assignment, text: str) -> None:
        """A run reported a problem and continues."""
        for listener in self._listeners:
            listener.warned(assignment, text)

    def cut_short(self, phase: str, reason: str) -> None:
        """A phase ended before all of its runs."""
        for listener in self._listeners:
            listener.cut_short(phase, reason)

    def left_out(self, node: str, reason: str) -> None:
        """A node was excluded and gets no more runs."""
        for listener in self._listeners:
            listener.left_out(node, reason)
