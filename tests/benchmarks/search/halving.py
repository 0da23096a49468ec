"""Scheduler ``halving`` on recorded surfaces with compressed schedules: epochs trained and true value of the winner.

Uses the same repetitions as ``schedulers``, so that the figures can be compared.
"""

from itertools import product

from study.definition.sections import Scheduler
from study.search.halving import Ladder, without_promotions
from study.state.attribute_names import TrialAttribute
from tests.benchmarks.measuring import Finding
from tests.benchmarks.search.schedulers import REPETITIONS, SAMPLERS, TRAINING, TRIALS, Ended, Replay, compare, findings
from tests.benchmarks.surface import read

SCHEDULERS = {
    "halving": (Scheduler(name="halving"), TRIALS),
    "halving, 42 points": (
        Scheduler(name="halving"),
        42,
    ),  # planned to cost as much as 32 full runs; early promotions make it more expensive
    "halving from 0.5 on": (Scheduler(name="halving", grace=0.5), TRIALS),
}


class Compressing(Replay):
    """Replay of the scheduler ``halving``: each rung has separate curves, of the schedule compressed to its epochs."""

    def __init__(self, scheduler: Scheduler, sampler: str, seed: int, points: int = TRIALS) -> None:
        super().__init__(read("plane").space, sampler, seed, points)
        lengths = scheduler.lengths(TRAINING)
        self._surfaces = {length: read(f"plane_{length}") for length in lengths[:-1]} | {TRAINING.epochs: read("plane")}
        self._ladder = Ladder(lengths, scheduler.reduction, scheduler.min_trials, minimizes=True)

    def _begins(self) -> bool:
        trials = self._sampler.trials
        promoted = self._ladder.promotion(self._points, trials)
        if promoted is not None:
            parent, length = promoted
            self._sampler.begin(
                parent.params, {TrialAttribute.EPOCHS: length, TrialAttribute.PROMOTED_FROM: parent.number}
            )
        elif len(without_promotions(trials)) < self._points:
            length = self._ladder.lengths[0]
            self._sampler.suggest(len(trials), {TrialAttribute.EPOCHS: length})
        else:
            return False
        self._take(self._surfaces[length])
        return True

    def _ends(self, number: int, epoch: int) -> bool:
        curve = self._curves[number]
        if epoch < len(curve):
            return False
        self._sampler.tell(number, float(curve[-1]), stopped_after=None if epoch == TRAINING.epochs else epoch)
        return True


def replay(sampler: str, scheduler: str, repetition: int) -> Ended:
    """Replays the search with a sampler and a scheduler of ``SCHEDULERS``, by name."""
    rule, points = SCHEDULERS[scheduler]
    return Compressing(rule, sampler, repetition, points).run()


def measure(repetitions: int = REPETITIONS) -> Finding:
    """Measures the searches of both samplers with every scheduler of ``SCHEDULERS``."""
    return findings(compare(list(product(SAMPLERS, SCHEDULERS)), replay, repetitions))
