"""Samplers on a recorded surface: true value of a search's winner, against random search and Ray's OptunaSearch."""

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState, create_trial

from analysis.statistics.surface import estimate
from search_spaces import space as spaces
from study.search.ranking import FEWEST_FOR_POSTERIOR
from study.search.sampling import suggest
from study.search.unit_cube import positions
from tests.benchmarks.measuring import Finding
from tests.benchmarks.surface import Surface, read

METRIC = "top1_error"
TRIALS = 64
CHECKED = (8, 16, 32, 64)
PROMISED = (16, 32)
CONCURRENT = 4
REPETITIONS = 100
FIRST_REPETITION = 1000  # smaller numbers were used during the development of the samplers
RESAMPLES = 4000
DEFAULT = "gp"
RAYS = "Ray's OptunaSearch"
SAMPLERS = (DEFAULT, "tpe", "nsgaii", "qmc", "random", RAYS)
RIVALS = ("random", RAYS)
PAPERS_GRID = {"temperature": [1, 4], "lambda_cls": [1, 2, 3, 4]}


Choice = Callable[[list[dict[str, Any]], NDArray[np.float64], spaces.Space], int]


class Sampler(Protocol):
    """Protocol of samplers; trials are numbered from 0."""

    def suggest(self, number: int) -> dict[str, Any]:
        """Returns the point of the next trial."""

    def tell(self, number: int, value: float) -> None:
        """Reports the value of a trial."""


class Ours:
    """Sampler of the project, called as the search phase calls it."""

    def __init__(self, name: str, space: spaces.Space, seed: int, planned: int) -> None:
        self._name, self._space, self._seed, self._planned = name, space, seed, planned
        self.trials: list[FrozenTrial] = []

    def suggest(self, number: int, attributes: dict[str, int] | None = None) -> dict[str, Any]:
        del number  # trials start in order
        point = suggest(
            self._space, self.trials, sampler=self._name, seed=self._seed, minimizes=[True], planned=self._planned
        )
        assert point is not None
        self.begin(point, attributes or {})
        return point

    def begin(self, point: dict[str, Any], attributes: dict[str, int]) -> None:
        """Adds a running trial with a point, such as one that the sampler did not suggest."""
        self.trials.append(self._trial(len(self.trials), point, attributes, TrialState.RUNNING))

    def tell(self, number: int, value: float, stopped_after: int | None = None) -> None:
        """Reports the value of a trial; ``stopped_after`` is the number of epochs of a stopped one."""
        state = TrialState.COMPLETE if stopped_after is None else TrialState.PRUNED
        steps = {} if stopped_after is None else {stopped_after: value}
        begun = self.trials[number]
        self.trials[number] = self._trial(
            number, begun.params, begun.user_attrs, state, value=value, intermediate_values=steps
        )

    def _trial(
        self, number: int, point: dict[str, Any], attributes: dict[str, int], state: TrialState, **told: Any
    ) -> FrozenTrial:
        trial = create_trial(state=state, params=point, distributions=self._space, user_attrs=attributes, **told)
        trial.number = number
        return trial


class Rays:
    """``ray.tune.search.optuna.OptunaSearch`` with default options, called as Ray Tune calls it."""

    def __init__(self, domains: dict[str, Any], seed: int) -> None:
        from ray.tune.search.optuna import OptunaSearch

        self._search = OptunaSearch(seed=seed)
        self._search.set_search_properties("value", "min", domains)

    def suggest(self, number: int) -> dict[str, Any]:
        return dict(self._search.suggest(str(number)))

    def tell(self, number: int, value: float) -> None:
        self._search.on_trial_complete(str(number), {"value": value})


@dataclass(frozen=True)
class Search:
    """Points and values ``[trials]`` of a search's trials, by number."""

    points: list[dict[str, Any]]
    values: NDArray[np.float64]


def replay(sampler: Sampler, surface: Surface, seeds: NDArray[np.int64]) -> Search:
    """Replays a search with four concurrent trials, of which the oldest always ends first.

    Args:
        sampler: Sampler of the search.
        surface: Surface that provides the values.
        seeds: Training seed of each trial.
    """
    search = Search([], np.full(len(seeds), np.nan))

    def end(number: int) -> None:
        cell = surface.cell(search.points[number])
        search.values[number] = surface.finals[METRIC][(*cell, seeds[number])]
        sampler.tell(number, search.values[number])

    for number in range(len(seeds)):
        if number >= CONCURRENT:
            end(number - CONCURRENT)
        search.points.append(sampler.suggest(number))
    for number in range(len(seeds) - CONCURRENT, len(seeds)):
        end(number)
    return search


def search_of(name: str, repetition: int) -> Search:
    """Replays a sampler's search in a repetition; all samplers use the same training seeds."""
    from ray import tune

    surface = read("plane")
    seeds = np.random.default_rng(repetition).integers(surface.design.seeds, size=TRIALS)
    if name == RAYS:
        domains = {key: tune.loguniform(axis.low, axis.high) for key, axis in surface.design.axes.items()}
        return replay(Rays(domains, repetition), surface, seeds)
    return replay(Ours(name, surface.space, repetition, TRIALS), surface, seeds)


def worth(surface: Surface, search: Search, choose: Choice) -> NDArray[np.float64]:
    """Returns the true values ``[checked]`` of the winners of the first 8, 16, … trials: means over the seeds."""
    winners = [choose(search.points[:count], search.values[:count], surface.space) for count in CHECKED]
    return np.array([surface.means[METRIC][surface.cell(search.points[winner])] for winner in winners])


def luckiest(points: list[dict[str, Any]], values: NDArray[np.float64], space: spaces.Space) -> int:
    """Returns the trial with the best value, which most tools select."""
    del points, space
    return int(np.argmin(values))


def believed(points: list[dict[str, Any]], values: NDArray[np.float64], space: spaces.Space) -> int:
    """Returns the trial that ``study.search.ranking`` selects: the best posterior mean, if there are enough trials."""
    if len(points) < FEWEST_FOR_POSTERIOR:
        return luckiest(points, values, space)
    where = positions(space, points)
    return int(np.argmin(estimate(where, values, where).mean))


CHOICES: dict[str, Choice] = {"luckiest": luckiest, "believed": believed}
CHOSEN_BY = "believed"  # the rule of a study; users of the rivals select the luckiest


def distinct_points(name: str, repetition: int) -> int:
    """Returns how many of the eight cells of the paper's grid a search of eight trials covers."""
    from ray import tune

    if name == RAYS:
        sampler: Sampler = Rays({key: tune.choice(values) for key, values in PAPERS_GRID.items()}, repetition)
    else:
        space = {key: spaces.distribution({"choices": values}) for key, values in PAPERS_GRID.items()}
        sampler = Ours(name, space, repetition, 8)
    points: list[dict[str, Any]] = []
    for number in range(8):
        if number >= CONCURRENT:
            sampler.tell(number - CONCURRENT, float(points[number - CONCURRENT]["lambda_cls"]))
        points.append(sampler.suggest(number))
    return len({spaces.key(point) for point in points})


def interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of the mean of paired differences ``[repetitions]``."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (RESAMPLES, len(differences))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _one(task: tuple[str, int]) -> tuple[list[NDArray[np.float64]], int]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore")  # many fits end at a bound
    search = search_of(*task)
    return [worth(read("plane"), search, choose) for choose in CHOICES.values()], distinct_points(*task)


def compare(repetitions: int) -> tuple[dict[tuple[str, str], NDArray[np.float64]], dict[str, float]]:
    """Replays the searches of all samplers.

    Returns:
        True values of the winners ``[repetitions, checked]`` by sampler and choice, and mean number of distinct points
        on the paper's grid by sampler.
    """
    seeds = range(FIRST_REPETITION, FIRST_REPETITION + repetitions)
    tasks = list(product(SAMPLERS, seeds))
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = dict(zip(tasks, pool.map(_one, tasks, chunksize=4), strict=True))
    winners = {
        (name, choice): np.array([found[name, seed][0][place] for seed in seeds])
        for name in SAMPLERS
        for place, choice in enumerate(CHOICES)
    }
    return winners, {name: float(np.mean([found[name, seed][1] for seed in seeds])) for name in SAMPLERS}


def measure(repetitions: int = REPETITIONS) -> Finding:
    """Measures mean errors over the repetitions in percent, and paired differences to the default sampler."""
    winners, distinct = compare(repetitions)
    figures = {"least error of a setting, %": 100 * float(read("plane").means[METRIC].min())}
    behind = False
    for place, count in enumerate(CHECKED):
        for (name, choice), values in winners.items():
            figures[f"{count} trials, {name}, {choice}, %"] = 100 * float(values[:, place].mean())
        for choice, rival in product(CHOICES, RIVALS):
            differences = 100 * (winners[DEFAULT, choice] - winners[rival, "luckiest"])[:, place]
            low, high = interval(differences)
            pair = f"{count} trials, {DEFAULT} {choice} - {rival} luckiest"
            figures |= {f"{pair}, points": float(differences.mean()), f"{pair}, 95 % from": low, f"{pair}, to": high}
            behind |= (choice, count) in product([CHOSEN_BY], PROMISED) and float(differences.mean()) > 0
    figures |= {f"distinct of 8 on the paper's grid, {name}": count for name, count in distinct.items()}
    promised = " and ".join(map(str, PROMISED))
    target = f"the winner of {DEFAULT} on the mean not behind that of {' or '.join(RIVALS)} at {promised} trials"
    return Finding(target, not behind, figures)
