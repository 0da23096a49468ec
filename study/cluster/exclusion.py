"""Which nodes of a cluster a study leaves out: they lose its runs while others go well elsewhere, or are not fit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable

LOSSES = 3


class Exclusion:
    """Counts what is lost where. Knows no Ray.

    A node is left out after three losses, with none between that came to its end there, while runs went on at another
    node that is not left out; so one always stays. A run that was lost on two nodes is to blame itself and counts
    against none: a node that it had cost its place gets it back. A node that is not fit is left out at once, even if it
    is the last one. A resume begins anew.

    Args:
        tell: Called with a node and the reason when it is left out, once each.

    Attributes:
        left_out: The nodes that are.
        ended: For each node the runs that came to their end there.

    Example:
        >>> exclusion = Exclusion(lambda node, reason: print(f"{node} is left out: {reason}"))
        >>> for run in (4, 4, 5):
        ...     exclusion.lost("b", run)
        >>> exclusion.went_on("a")
        b is left out: 3 runs were lost there, while others went on
        >>> exclusion.left_out
        ('b',)
    """

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()
        self._unfit: set[str] = set()
        self._streaks: dict[str, list[Hashable]] = {}
        self._places: defaultdict[Hashable, set[str]] = defaultdict(set)
        self._others_work: set[str] = set()
        self.left_out: tuple[str, ...] = ()
        self.ended: Counter[str] = Counter()

    @property
    def suspects(self) -> bool:
        """Whether anything was lost of late, so that it matters where runs go on."""
        return bool(self._streaks)

    def lost(self, node: str, run: Hashable) -> None:
        """A worker died on a node, or could not start there.

        Args:
            node: Its id.
            run: Which run it was; another attempt is the same one.
        """
        self._streaks.setdefault(node, []).append(run)
        self._places[run].add(node)
        self.left_out = tuple(each for each in self.left_out if each in self._unfit or self._losses(each) >= LOSSES)
        self._judge(node)

    def refused(self, node: str, reason: str) -> None:
        """A node was found not fit for the study before a run began there."""
        self._unfit.add(node)
        self._leave_out(node, reason)

    def went_on(self, node: str) -> None:
        """A run finished an epoch on a node."""
        if node not in self.left_out:  # there, what still runs speaks against no other
            for other in self._streaks.keys() - {node}:
                self._others_work.add(other)
                self._judge(other)

    def went_well(self, node: str) -> None:
        """A run came to its end on a node."""
        self.ended[node] += 1
        if node not in self.left_out:
            self._streaks.pop(node, None)
            self._others_work.discard(node)
            self.went_on(node)

    def _losses(self, node: str) -> int:
        return sum(len(self._places[run]) == 1 for run in self._streaks.get(node, ()))

    def _judge(self, node: str) -> None:
        if node in self.left_out or node not in self._others_work or self._losses(node) < LOSSES:
            return
        self._others_work.clear()  # it may have been this node that worked
        self._leave_out(node, f"{self._losses(node)} runs were lost there, while others went on")

    def _leave_out(self, node: str, reason: str) -> None:
        if node not in self.left_out:
            self.left_out = (*self.left_out, node)
        if node not in self._told:
            self._told.add(node)
            self._tell(node, reason)
