"""Decides which nodes a study excludes: nodes that lose runs while other nodes work, and unfit nodes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable

LOSSES = 3


class Exclusion:
    """Counts the runs that each node loses. Does not depend on Ray.

    A node is excluded after three losses in a row, without a run that ended there in between, if another node that is
    not excluded has finished an epoch since the first of them. So at least one such node always remains. A run that was
    lost on two nodes is itself at fault and counts against neither; a node that was excluded because of it is included
    again. An unfit node is excluded at once, even if it is the last one. A resume starts from zero.

    Args:
        on_exclusion: Function that is called when a node is excluded, once per node, with the node and the reason.

    Attributes:
        excluded: Ids of the excluded nodes.
        ended: Number of runs that ended on each node.

    Example:
        >>> exclusion = Exclusion(lambda node, reason: print(f"{node} is excluded: {reason}"))
        >>> for run in (4, 4, 5):
        ...     exclusion.run_lost("b", run)
        >>> exclusion.epoch_finished("a")
        b is excluded: 3 runs were lost there while other nodes worked
        >>> exclusion.excluded
        ('b',)
    """

    def __init__(self, on_exclusion: Callable[[str, str], None]) -> None:
        self._on_exclusion = on_exclusion
        self._reported: set[str] = set()
        self._unfit: set[str] = set()
        self._streaks: dict[str, list[Hashable]] = {}
        self._nodes_of_run: defaultdict[Hashable, set[str]] = defaultdict(set)
        self._others_active: set[str] = set()
        self.excluded: tuple[str, ...] = ()
        self.ended: Counter[str] = Counter()

    @property
    def has_losses(self) -> bool:
        """Whether a node has recent losses, so that epochs on other nodes matter."""
        return bool(self._streaks)

    def run_lost(self, node: str, run: Hashable) -> None:
        """Counts a worker that died or could not start on a node.

        Args:
            node: Id of the node.
            run: Identity of the run, the same for all its attempts.
        """
        self._streaks.setdefault(node, []).append(run)
        self._nodes_of_run[run].add(node)
        self.excluded = tuple(each for each in self.excluded if each in self._unfit or self._losses(each) >= LOSSES)
        self._judge(node)

    def node_refused(self, node: str, reason: str) -> None:
        """Excludes a node that was found unfit before a run started there."""
        self._unfit.add(node)
        self._exclude(node, reason)

    def epoch_finished(self, node: str) -> None:
        """Notes that a run finished an epoch on a node."""
        if node not in self.excluded:  # epochs on an excluded node are no evidence against other nodes
            for other in self._streaks.keys() - {node}:
                self._others_active.add(other)
                self._judge(other)

    def run_ended(self, node: str) -> None:
        """Counts a run that ended on a node without being lost."""
        self.ended[node] += 1
        if node not in self.excluded:
            self._streaks.pop(node, None)
            self._others_active.discard(node)
            self.epoch_finished(node)

    def _losses(self, node: str) -> int:
        return sum(len(self._nodes_of_run[run]) == 1 for run in self._streaks.get(node, ()))

    def _judge(self, node: str) -> None:
        if node in self.excluded or node not in self._others_active or self._losses(node) < LOSSES:
            return
        self._others_active.clear()  # the node that worked may be this one
        self._exclude(node, f"{self._losses(node)} runs were lost there while other nodes worked")

    def _exclude(self, node: str, reason: str) -> None:
        if node not in self.excluded:
            self.excluded = (*self.excluded, node)
        if node not in self._reported:
            self._reported.add(node)
            self._on_exclusion(node, reason)
