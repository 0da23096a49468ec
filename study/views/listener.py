"""The protocol of a study's listeners, and a listener that passes every event on to several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainables.runs.assignment import Assignment


class Listener(Protocol):
    """What a watcher is told."""

    def started(self, assignment: Assignment) -> None:
        """A run was handed out."""

    def taken_over(self, assignment: Assignment, source: str) -> None:
        """A run has the epochs of the same one of another study and is not trained."""

    def epoch(self, assignment: Assignment, epoch: int, metrics: Mapping[str, float]) -> None:
        """A run finished an epoch."""

    def settled(self, assignment: Assignment, state: str, value: float | None, error: str | None) -> None:
        """A trial has its final state."""

    def retried(self, assignment: Assignment, error: str) -> None:
        """A run was lost and will be tried again."""

    def warned(self, assignment: Assignment, text: str) -> None:
        """A run goes on although something is amiss."""

    def cut_short(self, phase: str, reason: str) -> None:
        """A phase has no more runs than it has now."""

    def left_out(self, node: str, reason: str) -> None:
        """A node of the cluster gets no more runs."""


class Listeners:
    """Tells several watchers, one after the other.

    Args:
        all_of_them: In the order in which they are told.
    """

    def __init__(self, all_of_them: Sequence[Listener]) -> None:
        self._all = all_of_them

    def started(self, assignment: Assignment) -> None:
        """A run was handed out."""
        for each in self._all:
            each.started(assignment)

    def taken_over(self, assignment: Assignment, source: str) -> None:
        """A run has the epochs of the same one of another study and is not trained."""
        for each in self._all:
            each.taken_over(assignment, source)

    def epoch(self, assignment: Assignment, epoch: int, metrics: Mapping[str, float]) -> None:
        """A run finished an epoch."""
        for each in self._all:
            each.epoch(assignment, epoch, metrics)

    def settled(self, assignment: Assignment, state: str, value: float | None, error: str | None) -> None:
        """A trial has its final state."""
        for each in self._all:
            each.settled(assignment, state, value, error)

    def retried(self, assignment: Assignment, error: str) -> None:
        """A run was lost and will be tried again."""
        for each in self._all:
            each.retried(assignment, error)

    def warned(self, assignment: Assignment, text: str) -> None:
        """A run goes on although something is amiss."""
        for each in self._all:
            each.warned(assignment, text)

    def cut_short(self, phase: str, reason: str) -> None:
        """A phase has no more runs than it has now."""
        for each in self._all:
            each.cut_short(phase, reason)

    def left_out(self, node: str, reason: str) -> None:
        """A node of the cluster gets no more runs."""
        for each in self._all:
            each.left_out(node, reason)
