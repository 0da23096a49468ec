"""Who watches a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

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
