"""Schedulers on a recorded surface's curves: epochs trained and true value of the winner."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
import optuna
from numpy.typing import NDArray

from search_spaces import space as spaces
from study.definition.sections import Scheduler
from study.search.pruning import RULES, is_kept
from tests.benchmarks.measuring import Finding
from tests.benchmarks.search.samplers import CHOICES, CHOSEN_BY, CONCURRENT, METRIC, Choice, Ours
from tests.benchmarks.surface import BASE, Surface, read
from trainables.config import Training

TRIALS = 32  # half of the cells of the grid below
REPETITIONS = 200
SAMPLERS = ("random", "tpe")  # samplers that learn from stopped trials, or do not learn
EVERY_SECOND = slice(None, None, 2)  # the grid compared with the searches: every second value of each parameter
GRID_CELLS = 64
TRAINING = Training.model_validate(BASE["training"])
EARLY = {"grace": 0.25, "before_decay": True}
SCHEDULERS = {
    "none": Scheduler(),
    **{f"asha, one in {one_in}": Scheduler(name="asha", reduction=one_in) for one_in in (2, 3, 4)},
    "median": Scheduler(name="median"),
    **{f"asha from 0.25 on, one in {n}": Scheduler(name="asha", reduction=n, **EARLY) for n in (2, 3, 4)},
    "median from 0.25 on": Scheduler(name="median", **EARLY),
}
SEARCHES = [("gp", "none"), *product(SAMPLERS, SCHEDULERS)]


@dataclass(frozen=True)
class Ended:
    """Finished search.

    Attributes:
        epochs: Number of epochs trained.
        worth: Mean error over all seeds of the winner's setting, by the rule that selects the winner.
    """

    epochs: int
    worth: dict[str, float]


Search = Callable[[str, str, int], Ended]
"""Function that replays the search with a sampler, a scheduler and the number of a repetition."""


class Replay(ABC):
    """Search whose trials follow recorded curves; four trials run concurrently, one epoch each in turn.

    Args:
        space: Search space.
        sampler: Name of the study's sampler.
        seed: Seed of the sampler and of the training seeds, which are equal for all schedulers of one schedule.
        points: Number of points to try.
    """

    def __init__(self, space: spaces.Space, sampler: str, seed: int, points: int) -> None:
        self._points = points
        self._sampler = Ours(sampler, space, seed, points)
        self._random = np.random.default_rng(seed)
        self._curves: list[NDArray[np.float64]] = []

    def run(self) -> Ended:
        finals: dict[int, float] = {}
        running: dict[int, int] = {}
        spent = 0
        while self._fill(running):
            for number in list(running):
                running[number] += 1
                spent += 1
                if self._ends(number, running[number]):
                    epochs = running.pop(number)
                    if epochs == TRAINING.epochs:
                        finals[number] = self._curves[number][-1]
        return Ended(spent, {name: self._worth(finals, choose) for name, choose in CHOICES.items()})

    def _fill(self, running: dict[int, int]) -> bool:
        """Starts trials up to the limit of concurrent ones; returns whether any runs."""
        while len(running) < CONCURRENT and self._begins():
            running[len(self._curves) - 1] = 0
        return bool(running)

    def _take(self, surface: Surface) -> None:
        """Selects the curve of the trial that started last, with a new training seed."""
        cell = surface.cell(self._sampler.trials[-1].params)
        self._curves.append(surface.curves[(*cell, self._random.integers(surface.design.seeds))])

    def _worth(self, finals: dict[int, float], choose: Choice) -> float:
        surface, numbers = read("plane"), sorted(finals)
        points, values = [self._sampler.trials[n].params for n in numbers], np.array([finals[n] for n in numbers])
        return float(surface.means[METRIC][surface.cell(points[choose(points, values, surface.space)])])

    @abstractmethod
    def _begins(self) -> bool:
        """Starts one more trial and selects its curve; returns False if none can start."""

    @abstractmethod
    def _ends(self, number: int, epoch: int) -> bool:
        """Returns whether a trial ends after an epoch; if it does, reports its value to the sampler."""


class Stopping(Replay):
    """Replay in which all trials have the full schedule and the scheduler stops some of them at its rungs."""

    def __init__(self, scheduler: Scheduler, sampler: str, seed: int, points: int = TRIALS) -> None:
        super().__init__(read("plane").space, sampler, seed, points)
        self._scheduler = scheduler
        self._rungs = scheduler.rungs(TRAINING)
        self._at_rung: dict[int, list[float]] = {rung: [] for rung in self._rungs}

    def _begins(self) -> bool:
        if len(self._curves) == self._points:
            return False
        self._sampler.suggest(len(self._curves))
        self._take(read("plane"))
        return True

    def _ends(self, number: int, epoch: int) -> bool:
        value = float(self._curves[number][epoch - 1])
        if epoch == TRAINING.epochs:
            self._sampler.tell(number, value)
            return True
        if epoch not in self._at_rung:
            return False
        kept = is_kept(value, self._at_rung[epoch], self._scheduler)
        counts_on = not kept and RULES[self._scheduler.name].counts_stopped
        for rung in self._rungs:
            if rung == epoch or (rung > epoch and counts_on):
                self._at_rung[rung].append(value)
        if not kept:
            self._sampler.tell(number, value, stopped_after=epoch)
        return not kept


def grid_winner(surface: Surface, repetition: int) -> float:
    """Returns the true value of the winner of the full grid, each cell trained with a random seed."""
    rng = np.random.default_rng(repetition)
    finals = surface.finals[METRIC][EVERY_SECOND, EVERY_SECOND]
    seeds = rng.integers(surface.design.seeds, size=finals.shape[:-1])
    values = np.take_along_axis(finals, seeds[..., None], axis=-1)[..., 0]
    return float(surface.means[METRIC][EVERY_SECOND, EVERY_SECOND].flat[values.argmin()])


def seed_deviation(surface: Surface) -> float:
    """Returns the standard deviation over seeds of the best tenth of the settings, from which winners come."""
    best = np.argsort(surface.means[METRIC], axis=None)[: surface.means[METRIC].size // 10]
    variances = surface.finals[METRIC].var(axis=-1, ddof=1).ravel()[best]
    return float(np.sqrt(variances.mean()))


def rank_correlations(surface: Surface) -> Iterator[tuple[int, float]]:
    """Yields epochs with Spearman's correlation of a single run's error then and its setting's true value.

    The true value is the mean final error of the other seeds. Correlations are averaged over the seeds.
    """
    from scipy.stats import spearmanr

    finals = surface.finals[METRIC]
    for epoch in (6, 12, 14, 20, 24):
        found = []
        for seed in range(surface.design.seeds):
            others = np.delete(finals, seed, axis=-1).mean(axis=-1)
            found.append(spearmanr(surface.curves[..., seed, epoch - 1].ravel(), others.ravel()).statistic)
        yield epoch, float(np.mean(found))


def replay(sampler: str, scheduler: str, repetition: int) -> Ended:
    """Replays the search with a sampler and a scheduler of ``SCHEDULERS``, by name."""
    return Stopping(SCHEDULERS[scheduler], sampler, repetition).run()


def compare(
    searches: Sequence[tuple[str, str]], replay: Search, repetitions: int
) -> dict[tuple[str, str], list[Ended]]:
    """Replays searches in separate processes; returns them by sampler and scheduler.

    Args:
        searches: Names of sampler and scheduler.
        replay: Function that replays one search.
        repetitions: Number of repetitions of each search.
    """
    tasks = [(*search, repetition) for search, repetition in product(searches, range(repetitions))]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), initializer=_quiet) as pool:
        found = list(pool.map(replay, *zip(*tasks, strict=True), chunksize=8))
    return {
        search: [ended for task, ended in zip(tasks, found, strict=True) if task[:2] == search] for search in searches
    }


def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def judge(worths: Sequence[float]) -> tuple[float, float]:
    """Returns the mean regret in percentage points of error, and the share of regrets within one seed deviation."""
    surface = read("plane")
    regrets = np.array(worths) - float(surface.means[METRIC].min())
    return 100 * float(regrets.mean()), float((regrets <= seed_deviation(surface)).mean())


def findings(found: dict[tuple[str, str], list[Ended]]) -> Finding:
    """Returns the epochs as shares of the grid's, the regrets in points, and their share within a seed deviation."""
    figures, met = {}, []
    for (sampler, name), searches in found.items():
        key = f"{sampler}, {name}"
        share = float(np.mean([search.epochs for search in searches])) / (GRID_CELLS * TRAINING.epochs)
        figures[f"{key}: share of the grid's epochs"] = share
        for choice in CHOICES:
            regret, within = judge([search.worth[choice] for search in searches])
            figures |= {f"{key}, {choice}: regret, points": regret, f"{key}, {choice}: within one deviation": within}
            met += [f"{sampler} with {name}"] if choice == CHOSEN_BY and share <= 0.5 and within >= 0.9 else []
    target = "S13: at most 50 % of the grid's epochs, a regret within one seed deviation in 90 % of resamples"
    return Finding(f"{target}; by {', '.join(met) or 'none'}", bool(met), figures)


def measure(repetitions: int = REPETITIONS) -> Finding:
    """Measures the searches of all samplers and schedulers, and the grid for comparison."""
    surface = read("plane")
    regret, within = judge([grid_winner(surface, repetition) for repetition in range(repetitions)])
    finding = findings(compare(SEARCHES, replay, repetitions))
    finding.figures.update(
        {
            "seed deviation, points": 100 * seed_deviation(surface),
            "grid, luckiest: regret, points": regret,
            "grid, luckiest: within one deviation": within,
            **{f"rank correlation after epoch {epoch} of 24": rho for epoch, rho in rank_correlations(surface)},
        }
    )
    return finding
