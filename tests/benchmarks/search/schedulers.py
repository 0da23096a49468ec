"""Schedulers on a recorded surface's curves: epochs spent, and what the winner is worth."""

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

TRIALS = 32  # half as many as the grid below has cells
REPETITIONS = 200
SAMPLERS = ("random", "tpe")  # those that learn from stopped trials, or need not
EVERY_SECOND = slice(None, None, 2)  # the grid that a search stands for: every second value of each parameter
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
    """A search: the epochs that it trained, and by choice the mean error over all seeds of its winner's setting."""

    epochs: int
    worth: dict[str, float]


Search = Callable[[str, str, int], Ended]
"""Carries out the search with a sampler, a scheduler and the number of a repetition."""


class Replay(ABC):
    """A search whose trials go through recorded curves, four at once, an epoch each in turn.

    Args:
        space: What is searched.
        sampler: The study's sampler, by name.
        seed: Of the sampler and of the trials' training seeds, which are the same for all schedulers of one schedule.
        points: That are looked at.
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
        """Lets trials begin while there is room; returns whether any runs."""
        while len(running) < CONCURRENT and self._begins():
            running[len(self._curves) - 1] = 0
        return bool(running)

    def _take(self, surface: Surface) -> None:
        """Takes the curve of the trial that began last, with a training seed of its own."""
        cell = surface.cell(self._sampler.trials[-1].params)
        self._curves.append(surface.curves[(*cell, self._random.integers(surface.design.seeds))])

    def _worth(self, finals: dict[int, float], choose: Choice) -> float:
        surface, numbers = read("plane"), sorted(finals)
        points, values = [self._sampler.trials[n].params for n in numbers], np.array([finals[n] for n in numbers])
        return float(surface.means[METRIC][surface.cell(points[choose(points, values, surface.space)])])

    @abstractmethod
    def _begins(self) -> bool:
        """Lets one more trial begin and takes its curve; False when none can."""

    @abstractmethod
    def _ends(self, number: int, epoch: int) -> bool:
        """Whether a trial ends after an epoch, of which the sampler has then heard."""


class Stopping(Replay):
    """All trials have the whole schedule; the scheduler stops some at its rungs, or none."""

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
    """What the winner of the whole grid is worth, each cell trained with a seed of its own."""
    rng = np.random.default_rng(repetition)
    finals = surface.finals[METRIC][EVERY_SECOND, EVERY_SECOND]
    seeds = rng.integers(surface.design.seeds, size=finals.shape[:-1])
    values = np.take_along_axis(finals, seeds[..., None], axis=-1)[..., 0]
    return float(surface.means[METRIC][EVERY_SECOND, EVERY_SECOND].flat[values.argmin()])


def seed_deviation(surface: Surface) -> float:
    """Standard deviation over seeds of a setting among the best tenth, where winners come from."""
    best = np.argsort(surface.means[METRIC], axis=None)[: surface.means[METRIC].size // 10]
    variances = surface.finals[METRIC].var(axis=-1, ddof=1).ravel()[best]
    return float(np.sqrt(variances.mean()))


def rank_correlations(surface: Surface) -> Iterator[tuple[int, float]]:
    """For some epochs, Spearman's correlation of a single run's error there with what its setting is worth.

    A setting's worth is the mean final error of its other seeds; the mean of the correlations over the seeds.
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
    """The search with a sampler and a scheduler, by their names here."""
    return Stopping(SCHEDULERS[scheduler], sampler, repetition).run()


def compare(
    searches: Sequence[tuple[str, str]], replay: Search, repetitions: int
) -> dict[tuple[str, str], list[Ended]]:
    """Searches by sampler and scheduler.

    Args:
        searches: Names of sampler and scheduler.
        replay: Carries out one of them in a process of its own.
        repetitions: Of each.
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
    """Mean regret in points of error, and the share of regrets that lie within one seed deviation."""
    surface = read("plane")
    regrets = np.array(worths) - float(surface.means[METRIC].min())
    return 100 * float(regrets.mean()), float((regrets <= seed_deviation(surface)).mean())


def findings(found: dict[tuple[str, str], list[Ended]]) -> Finding:
    """Epochs as shares of the grid's, regrets in points, and how often a regret lies within one seed deviation."""
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
    """The searches of all samplers and schedulers, with the grid that they stand for."""
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
