"""Schedulers on a recorded surface's curves: epochs spent, and what the winner is worth."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from study.pruning import RULES, is_kept
from study.settings import Scheduler
from tests.benchmarks.measuring import Finding
from tests.benchmarks.samplers import CHOICES, CHOSEN_BY, CONCURRENT, METRIC, Choice, Ours
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


class Replay:
    """A search whose trials go through recorded curves, four at once, an epoch each in turn.

    Args:
        surface: Where the curves come from.
        scheduler: Who stops trials.
        sampler: The study's sampler, by name.
        seed: Of the sampler and of the trials' training seeds, which are the same for all schedulers.
    """

    def __init__(self, surface: Surface, scheduler: Scheduler, sampler: str, seed: int) -> None:
        self._surface, self._scheduler = surface, scheduler
        self._sampler = Ours(sampler, surface.space, seed, TRIALS)
        self._seeds = np.random.default_rng(seed).integers(surface.design.seeds, size=TRIALS)
        self._rungs = scheduler.rungs(TRAINING)
        self._at_rung: dict[int, list[float]] = {rung: [] for rung in self._rungs}
        self._curves: list[NDArray[np.float64]] = []
        self._points: list[dict[str, Any]] = []

    def run(self) -> Ended:
        finals: dict[int, float] = {}
        running: dict[int, int] = {}
        spent = 0
        while len(self._curves) < TRIALS or running:
            while len(running) < CONCURRENT and len(self._curves) < TRIALS:
                running[self._begin()] = 0
            for number in list(running):
                running[number] += 1
                spent += 1
                if self._ends(number, running[number]):
                    epochs = running.pop(number)
                    if epochs == TRAINING.epochs:
                        finals[number] = self._curves[number][-1]
        return Ended(spent, {name: self._worth(finals, choose) for name, choose in CHOICES.items()})

    def _worth(self, finals: dict[int, float], choose: Choice) -> float:
        numbers = sorted(finals)
        points, values = [self._points[number] for number in numbers], np.array([finals[number] for number in numbers])
        winner = points[choose(points, values, self._surface.space)]
        return float(self._surface.means[METRIC][self._surface.cell(winner)])

    def _begin(self) -> int:
        number = len(self._curves)
        self._points.append(self._sampler.suggest(number))
        cell = self._surface.cell(self._points[number])
        self._curves.append(self._surface.curves[(*cell, self._seeds[number])])
        return number

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


def _one(task: tuple[str, str, int]) -> Ended:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler, scheduler, repetition = task
    return Replay(read("plane"), SCHEDULERS[scheduler], sampler, repetition).run()


def compare(repetitions: int) -> dict[tuple[str, str], list[Ended]]:
    """Searches by sampler and scheduler."""
    tasks = [(*search, repetition) for search, repetition in product(SEARCHES, range(repetitions))]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = list(pool.map(_one, tasks, chunksize=8))
    return {
        search: [ended for task, ended in zip(tasks, found, strict=True) if task[:2] == search] for search in SEARCHES
    }


def measure(repetitions: int = REPETITIONS) -> Finding:
    """Epochs as shares of the grid's, regrets in points, and how often a regret lies within one seed deviation."""
    surface = read("plane")
    least, deviation = float(surface.means[METRIC].min()), seed_deviation(surface)
    figures = {"seed deviation, points": 100 * deviation}
    figures |= {f"rank correlation after epoch {epoch} of 24": rho for epoch, rho in rank_correlations(surface)}

    def add(key: str, worths: list[float]) -> float:
        regrets = np.array(worths) - least
        within = float((regrets <= deviation).mean())
        figures.update({f"{key}: regret, points": 100 * float(regrets.mean()), f"{key}: within one deviation": within})
        return within

    add("grid, luckiest", [grid_winner(surface, repetition) for repetition in range(repetitions)])
    met = []
    for (sampler, name), searches in compare(repetitions).items():
        key = f"{sampler}, {name}"
        share = float(np.mean([search.epochs for search in searches])) / (GRID_CELLS * TRAINING.epochs)
        figures[f"{key}: share of the grid's epochs"] = share
        within = {choice: add(f"{key}, {choice}", [search.worth[choice] for search in searches]) for choice in CHOICES}
        met += [f"{sampler} with {name}"] if share <= 0.5 and within[CHOSEN_BY] >= 0.9 else []
    target = "S13: at most 50 % of the grid's epochs, a regret within one seed deviation in 90 % of resamples"
    return Finding(f"{target}; by {', '.join(met) or 'none'}", bool(met), figures)
