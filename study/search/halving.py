"""Successive halving with compressed schedules: decides which points are trained again with more epochs.

The first epochs of a long schedule are misleading, because most effects of distillation appear after the first decay of
the learning rate. Here each rung has its own complete schedule: milestones are fractions, so a short run decays as
often as a long one, and its value is that of a finished short training. Its trial ends PRUNED at the step of its
epochs, so samplers and tables do not treat it as a full run. The better points are promoted: new trials train them from
scratch, with the next longer schedule and another seed.

All decisions are functions of the trials in the database, so a resumed study decides like an uninterrupted one.
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
        lengths: Numbers of epochs of the schedules, ascending; the last is the full schedule.
        reduction: The best ``1 / reduction`` of a rung is promoted.
        least: Number of ended trials at a rung before any is promoted, unless no more will come.
        minimizes: Whether smaller values are better.
    """

    lengths: Sequence[int]
    reduction: int
    least: int
    minimizes: bool

    def counts(self, points: int, trials: Sequence[FrozenTrial] = ()) -> list[int]:
        """Returns the number of trials that each rung will have, shortest schedule first.

        Args:
            points: Number of points of the search.
            trials: Search trials so far. A failed one takes no place at the next rung; better points that end after
                a promotion are promoted as well.

        Example:
            >>> Ladder((50, 100, 200), 2, 5, True).counts(9)
            [9, 5, 3]
        """
        found = [points]
        for below, length in pairwise(self.lengths):
            at_rung = _at(below, trials)
            failed = sum(trial.state == TrialState.FAIL for trial in at_rung)
            promotions = len(_at(length, trials)) + len(self._promotable(at_rung, found[-1], trials))
            found.append(max(math.ceil((found[-1] - failed) / self.reduction), promotions))
        return found

    def epochs(self, points: int) -> int:
        """Returns the total number of epochs if no run fails.

        Example:
            >>> Ladder((50, 100, 200), 2, 5, True).epochs(8)
            1200
        """
        return sum(count * length for count, length in zip(self.counts(points), self.lengths, strict=True))

    def epochs_to_begin(self, points: int, trials: Sequence[FrozenTrial]) -> int:
        """Returns the number of epochs of the trials that have not started.

        Args:
            points: Number of points of the search.
            trials: Search trials so far.
        """
        counts = self.counts(points, trials)
        return sum((n - len(_at(length, trials))) * length for n, length in zip(counts, self.lengths, strict=True))

    def promotion(self, points: int, trials: Sequence[FrozenTrial]) -> tuple[FrozenTrial, int] | None:
        """Returns the trial to promote next and its new number of epochs; None if there is none yet.

        Asynchronous successive halving (Li et al. 2020, "A system for massively parallel hyperparameter tuning",
        algorithm 2): the longest possible schedule starts first, so that a search that ends early has full runs.

        Args:
            points: Number of points of the search.
            trials: Search trials so far.
        """
        counts = self.counts(points, trials)
        for rung in reversed(range(len(self.lengths) - 1)):
            found = self._promotable(_at(self.lengths[rung], trials), counts[rung], trials)
            if found:
                return found[0], self.lengths[rung + 1]
        return None

    def _promotable(
        self, at_rung: Sequence[FrozenTrial], planned: int, trials: Sequence[FrozenTrial]
    ) -> list[FrozenTrial]:
        """Returns the best trials of a rung that have not been promoted, best first."""
        done = [trial for trial in at_rung if trial.state == TrialState.PRUNED]
        open_places = planned - sum(trial.state.is_finished() for trial in at_rung)
        if len(done) < self.least and open_places > 0:
            return []
        sign = 1 if self.minimizes else -1
        best = sorted(done, key=lambda trial: (sign * trial.values[0], trial.number))
        promoted = {trial.user_attrs.get(TrialAttribute.PROMOTED_FROM) for trial in trials}
        return [trial for trial in best[: math.ceil(len(done) / self.reduction)] if trial.number not in promoted]


def ladder_of(config: StudyConfig) -> Ladder:
    """Returns the rungs of a study's search; a single one unless the scheduler is ``halving``."""
    scheduler = config.search.scheduler
    return Ladder(scheduler.lengths(config.training), scheduler.reduction, scheduler.min_trials, config.minimizes)


def without_promotions(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Returns the trials with points from the sampler or the study file, that is, without promotions."""
    return [trial for trial in trials if TrialAttribute.PROMOTED_FROM not in trial.user_attrs]


def _at(length: int, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.user_attrs.get(TrialAttribute.EPOCHS) == length]
