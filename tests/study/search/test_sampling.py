"""Suggestions are adaptive, distinct and resumable, with a real database and Optuna's real samplers."""

import copy
import math
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from search_spaces import space as spaces
from study.search.proposals import STARTUP_TRIALS
from study.search.sampling import suggest
from study.state.optuna_store import TrialStore

GRID = {
    "temperature": spaces.distribution({"choices": [1, 4]}),
    "lambda_cls": spaces.distribution({"choices": [1, 2, 3, 4]}),
}
RANGE = {
    "temperature": FloatDistribution(0.5, 16, log=True),
    "lambda_cls": FloatDistribution(0.1, 8, log=True),
}
# Gaussian processes import torch and fit for a tenth of a second a call.
SAMPLERS = ["random", "qmc", "tpe", "nsgaii", "grid", pytest.param("gp", marks=pytest.mark.slow)]
MANY = 1000  # planned trials: more than any grid here has cells


def error(point) -> float:
    """Returns a smooth error with its minimum of 0.1 at T = 4, λ = 1, far from the middle of the range."""
    return 0.1 + 0.05 * (math.log(point["temperature"] / 4) ** 2 + math.log(point["lambda_cls"] / 1) ** 2)


class Search:
    """A search with at most ``concurrency`` running trials, of which the oldest ends first."""

    def __init__(
        self, path: Path, space, sampler: str, *, seed: int = 0, concurrency: int = 4, planned: int = MANY
    ) -> None:
        self.path, self.space, self.sampler, self.seed, self.concurrency = path, space, sampler, seed, concurrency
        self.planned = planned
        self.open()

    def open(self) -> None:
        self.store = TrialStore(self.path, "s", directions=[StudyDirection.MINIMIZE])

    def suggest(self):
        trials = self.store.trials("search")
        return suggest(self.space, trials, sampler=self.sampler, seed=self.seed, minimizes=[True], planned=self.planned)

    def start(self):
        point = self.suggest()
        return None if point is None else self.store.begin("search", point, self.space, {})

    def end_oldest(self) -> None:
        trial = self.store.running("search")[0]
        self.store.tell(trial, TrialState.COMPLETE, [error(trial.params)], 1, None)

    def run(self, trials: int):
        for _ in range(trials):
            while len(self.store.running("search")) >= self.concurrency:
                self.end_oldest()
            if self.start() is None:
                break
        while self.store.running("search"):
            self.end_oldest()
        return self.points()

    def points(self):
        return [trial.params for trial in self.store.trials("search")]

    def close(self) -> None:
        self.store.close()

    def reopen(self) -> None:
        self.close()
        self.open()


@pytest.fixture
def searched(tmp_path: Path) -> Iterator[Callable[..., Search]]:
    """Returns a function that opens a search in its own database file; closes all searches at the end."""
    with ExitStack() as stack:

        def make(space, sampler: str, *, file: str = "db", **options) -> Search:
            search = Search(tmp_path / file, space, sampler, **options)
            stack.callback(search.close)
            return search

        yield make


@pytest.mark.parametrize("planned", [6, MANY])  # fewer and more than the cells
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_concurrent_trials_cover_all_cells_once(searched, sampler: str, planned: int) -> None:
    search = searched(GRID, sampler, planned=planned)
    keys = {spaces.key(point) for point in search.run(20)}
    assert len(search.points()) == 8
    assert keys == {spaces.key(cell) for cell in spaces.cells(GRID)}
    assert search.suggest() is None


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_reopened_search_repeats_nothing_and_suggests_like_an_uninterrupted_one(searched, sampler: str) -> None:
    space = GRID if sampler == "grid" else RANGE
    trials = 8 if sampler == "grid" else STARTUP_TRIALS + 2
    unbroken = searched(space, sampler, file="a")
    broken = searched(space, sampler, file="b")
    for number in range(trials):
        for search in (unbroken, broken):
            while len(search.store.running("search")) >= 2:
                search.end_oldest()
        if number in (3, STARTUP_TRIALS + 1):
            broken.reopen()  # two trials are running here
        assert broken.start().params == unbroken.start().params
    assert len({spaces.key(point) for point in broken.points()}) == trials


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_suggestion_depends_neither_on_the_order_nor_the_times_of_trials(searched, sampler) -> None:
    space = GRID if sampler == "grid" else RANGE
    search = searched(space, sampler)
    search.run(6 if sampler == "grid" else STARTUP_TRIALS + 1)
    if sampler != "grid":
        search.start()  # a running trial
    trials = search.store.trials("search")
    asked = {"sampler": sampler, "seed": 0, "minimizes": [True], "planned": MANY}
    expected = suggest(space, trials, **asked)
    assert suggest(space, trials[::-1], **asked) == expected
    later = [copy.copy(trial) for trial in trials]
    for trial in later:
        trial.datetime_start = trial.datetime_start and trial.datetime_start + timedelta(hours=1)
        trial.datetime_complete = trial.datetime_complete and trial.datetime_complete - timedelta(hours=2)
    assert suggest(space, later, **asked) == expected
    if sampler != "grid":
        assert suggest(space, trials, **asked | {"seed": 1}) != expected


def numbered(number: int, point, value: float | None = None):
    """Returns a completed trial with a number, which Optuna assigns only in a storage."""
    trial = create_trial(value=error(point) if value is None else value, params=point, distributions=RANGE)
    trial.number = number
    return trial


def late_errors(sampler: str, seed: int, trials: int, late: int) -> list[float]:
    """Returns the errors of the last ``late`` suggestions of a search without a database, minus the minimum."""
    done = []
    for number in range(trials):
        point = suggest(RANGE, done, sampler=sampler, seed=seed, minimizes=[True], planned=trials)
        done.append(numbered(number, point))
    return [trial.value - 0.1 for trial in done[-late:]]


@pytest.mark.parametrize(
    ("sampler", "trials", "late", "seeds"), [("tpe", 50, 15, 2), pytest.param("gp", 16, 4, 1, marks=pytest.mark.slow)]
)
def test_later_suggestions_are_better_than_random_ones(sampler, trials, late, seeds) -> None:
    blind = [min(late_errors("random", seed, late, late)) for seed in range(10)]
    adaptive = [min(late_errors(sampler, seed, trials, late)) for seed in range(seeds)]
    assert statistics.mean(adaptive) < 0.5 * statistics.mean(blind)


def test_controls_and_confirmations_do_not_reduce_the_relative_search_space(searched) -> None:
    """They have separate Optuna studies, because the GP samples only parameters that all completed trials share."""
    search = searched(RANGE, "tpe")
    for phase in ("controls", "confirm"):
        trial = search.store.begin(phase, {}, {}, {"arm": "search/0", "seed": 1})
        search.store.tell(trial, TrialState.COMPLETE, [0.5], 1, None)
    search.run(STARTUP_TRIALS)
    study = optuna.create_study()
    study.add_trials(search.store.trials("search"))
    samplers = [optuna.samplers.TPESampler(multivariate=True), optuna.samplers.GPSampler()]
    for sampler in samplers:
        assert set(sampler.infer_relative_search_space(study, study.trials[0])) == set(RANGE)
    study.add_trial(
        create_trial(value=0.5, params={}, distributions={})
    )  # a control in the same study would empty the space
    assert samplers[-1].infer_relative_search_space(study, study.trials[0]) == {}


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.PRUNED])
def test_failed_and_pruned_points_are_not_suggested_again(searched, sampler: str, state: TrialState) -> None:
    search = searched(GRID, sampler, concurrency=1)
    for _ in range(3):
        search.store.tell(search.start(), state, None if state == TrialState.FAIL else [0.3], 1, None)
    search.run(20)
    assert len({spaces.key(point) for point in search.points()}) == len(search.points()) == 8


@pytest.mark.parametrize("sampler", ["grid", "gp", "random"])
def test_a_small_grid_is_enumerated_evenly_with_any_sampler(searched, sampler: str) -> None:
    points = searched(GRID, sampler, concurrency=3, planned=8).run(8)
    assert {spaces.key(point) for point in points} == {spaces.key(cell) for cell in spaces.cells(GRID)}
    assert {point["temperature"] for point in points[:2]} == {1, 4}
    assert {point["lambda_cls"] > 2 for point in points[:4]} == {True, False}


def test_a_sobol_sequence_fills_the_space_evenly() -> None:
    done = []
    for number in range(16):
        point = suggest(RANGE, done, sampler="qmc", seed=3, minimizes=[True], planned=MANY)
        done.append(numbered(number, point))
    for name, range_ in RANGE.items():  # 16 points of a Sobol sequence: one in each sixteenth of every axis
        low, high = range_.low, range_.high
        places = [math.log(trial.params[name] / low) / math.log(high / low) for trial in done]
        assert sorted(int(16 * place) for place in places) == list(range(16))


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii"])
def test_maximizing_reverses_the_objective(sampler: str) -> None:
    points = [suggest(RANGE, [], sampler="random", seed=n, minimizes=[True], planned=MANY) for n in range(40)]
    done = [numbered(number, point) for number, point in enumerate(points)]

    def mean_error(*, minimizes: bool) -> float:
        asked = {"sampler": sampler, "minimizes": [minimizes], "planned": MANY}
        return statistics.mean(error(suggest(RANGE, done, seed=n, **asked)) for n in range(8))

    assert mean_error(minimizes=True) < mean_error(minimizes=False)


def test_no_points_are_suggested_near_failed_ones() -> None:
    """A failed point counts like the worst completed one, even between good ones."""
    best = {"temperature": 4.0, "lambda_cls": 1.0}
    points = [suggest(RANGE, [], sampler="random", seed=n, minimizes=[True], planned=MANY) for n in range(12)]
    done = [numbered(number, point) for number, point in enumerate(points)]
    for number in range(12, 24):
        trial = create_trial(state=TrialState.FAIL, params=best, distributions=RANGE)
        trial.number = number
        done.append(trial)
    asked = {"sampler": "tpe", "minimizes": [True], "planned": MANY}
    suggested = [suggest(RANGE, done, seed=n, **asked) for n in range(8)]
    assert statistics.mean(error(point) for point in suggested) > error(best) + 0.02


def test_a_space_of_a_billion_cells_is_not_enumerated() -> None:
    space = {"x": spaces.distribution({"low": 0, "high": 1, "step": 1e-9})}
    points = [suggest(space, [], sampler="random", seed=n, minimizes=[True], planned=MANY) for n in range(3)]
    assert len({spaces.key(point) for point in points}) == 3
