"""Which nodes of a cluster a study leaves out, because its runs are lost there while others go well elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

LOSSES = 3
LEFT_OUT_NODES = "left_out"  # attribute of a study: the nodes that its latest driver left out, each with the reason


@dataclass
class _Streak:
    """What was lost on a node since a run last went well there."""

    runs: list[Hashable] = field(default_factory=list)
    elsewhere: bool = False

    def counts_against(self) -> bool:
        """Whether the node is to blame, and not a run that dies wherever it goes, nor all nodes alike."""
        return len(self.runs) >= LOSSES and len(set(self.runs)) > 1 and self.elsewhere


class Exclusion:
    """Counts what is lost where. Knows no Ray.

    A node is left out after three losses of at least two runs, with none between that went well there, while one went
    well on another node that is not left out; so one always stays. It is so until the driver ends: a resume begins
    anew.

    Args:
        tell: Called once with a node and how many runs were lost there when it is left out.

    Attributes:
        left_out: The nodes that are, in the order of their losses.
        ended: For each node the runs that went well there.

    Example:
        >>> exclusion = Exclusion(lambda node, losses: print(f"{node} is left out after {losses} losses"))
        >>> for run in (4, 5, 4):
        ...     exclusion.lost("b", run)
        >>> exclusion.went_well("a")
        b is left out after 3 losses
        >>> exclusion.left_out
        ('b',)
    """

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self._tell = tell
        self._streaks: dict[str, _Streak] = {}
        self.left_out: tuple[str, ...] = ()
        self.ended: Counter[str] = Counter()

    def lost(self, node: str, run: Hashable) -> None:
        """A worker died on a node, or could not start there.

        Args:
            node: Its id.
            run: Which run it was; another attempt is the same one.
        """
        streak = self._streaks.setdefault(node, _Streak())
        streak.runs.append(run)
        self._judge(node, streak)

    def went_well(self, node: str) -> None:
        """A run came to its end on a node."""
        self.ended[node] += 1
        self._streaks.pop(node, None)
        if node in self.left_out:  # what still ran there; it speaks against no other
            return
        for other, streak in self._streaks.items():
            streak.elsewhere = True
            self._judge(other, streak)

    def _judge(self, node: str, streak: _Streak) -> None:
        if node not in self.left_out and streak.counts_against():
            self.left_out = (*self.left_out, node)
            self._tell(node, len(streak.runs))
