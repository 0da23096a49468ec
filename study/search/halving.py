"""Successive halving with whole, compressed schedules: which points are trained anew for longer, and how long.

Short runs of a long schedule mislead, for most of what distillation does shows after the first decay of the learning
rate. Here a rung is a schedule of its own: milestones are fractions, so each short run decays as often as a long one,
and its value is that of a short training, never that of an unfinished long one. Its trial ends PRUNED at the step of
its epochs, so samplers and tables never take it for a full one. The better points go on as trials of their own, with
the next longer schedule, from scratch and with a seed of their own.

All decisions are functions of the trials in the study's storage, so that a resumed study decides as the unbroken one.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from optuna.trial import TrialState

from study.state.attribute_names import TrialAttribute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from study.definition.study_config import StudyConfig


class Ladder(NamedTuple):
    """The rungs of a search.

    Attributes:
        lengths: Epochs of the schedules, rising; the last one is the whole.
        reduction: One in so many goes on.
        least: Trials that have ended at a rung before any goes on, unless no more will come.
        minimizes: Whether smaller values are better.
    """

    lengths: Sequence[int]
    reduction: int
    least: int
    minimizes: bool

    def counts(self, points: int, trials: Sequence[FrozenTrial] = ()) -> list[int]:
        """Trials that each rung will have, the shortest first.

        Args:
            points: That the search is to look at.
            trials: Those so far: one that failed takes no place at the next rung; where some went on before better
                ones came, these go on as well.

        Example:
            >>> Ladder((50, 100, 200), 2, 5, True).counts(9)
            [9, 5, 3]
        """
        found = [points]
        for below, length in pairwise(self.lengths):
            there = _at(below, trials)
            failed = sum(trial.state == TrialState.FAIL for trial in there)
            going_on = len(_at(length, trials)) + len(self._deserving(there, found[-1], trials))
            found.append(max(math.ceil((found[-1] - failed) / self.reduction), going_on))
        return found

    def epochs(self, points: int) -> int:
        """Epochs of all runs together, when none fails.

        Example:
            >>> Ladder((50, 100, 200), 2, 5, True).epochs(8)
            1200
        """
        return sum(count * length for count, length in zip(self.counts(points), self.lengths, strict=True))

    def epochs_to_begin(self, points: int, trials: Sequence[FrozenTrial]) -> int:
        """Epochs of the trials that will yet begin; arguments as of ``counts``."""
        counts = self.counts(points, trials)
        return sum((n - len(_at(length, trials))) * length for n, length in zip(counts, self.lengths, strict=True))

    def promotion(self, points: int, trials: Sequence[FrozenTrial]) -> tuple[FrozenTrial, int] | None:
        """The trial whose point is trained anew next, and for how many epochs; None when none deserves it yet.

        Asynchronous successive halving (Li et al. 2020, "A system for massively parallel hyperparameter tuning",
        algorithm 2): the longest schedule that can begin does, so that a search that ends early has whole runs.

        Args:
            points: That the search is to look at.
            trials: All so far.
        """
        counts = self.counts(points, trials)
        for rung in reversed(range(len(self.lengths) - 1)):
            found = self._deserving(_at(self.lengths[rung], trials), counts[rung], trials)
            if found:
                return found[0], self.lengths[rung + 1]
        return None

    def _deserving(
        self, there: Sequence[FrozenTrial], planned: int, trials: Sequence[FrozenTrial]
    ) -> list[FrozenTrial]:
        """The trials that are among the best at a rung and have not gone on, best first."""
        done = [trial for trial in there if trial.state == TrialState.PRUNED]
        open_places = planned - sum(trial.state.is_finished() for trial in there)
        if len(done) < self.least and open_places > 0:
            return []
        sign = 1 if self.minimizes else -1
        best = sorted(done, key=lambda trial: (sign * trial.values[0], trial.number))
        gone_on = {trial.user_attrs.get(TrialAttribute.PROMOTED_FROM) for trial in trials}
        deserving = best[: math.ceil(len(done) / self.reduction)]
        return [trial for trial in deserving if trial.number not in gone_on]


def ladder_of(config: StudyConfig) -> Ladder:
    """The rungs of a study's search; one where no scheduler compresses its schedule."""
    scheduler = config.search.scheduler
    return Ladder(scheduler.lengths(config.training), scheduler.reduction, scheduler.min_trials, config.minimizes)


def points_of(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that a sampler or the study file gave their points, not a rung below."""
    return [trial for trial in trials if TrialAttribute.PROMOTED_FROM not in trial.user_attrs]


def _at(length: int, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.user_attrs.get(TrialAttribute.EPOCHS) == length]
