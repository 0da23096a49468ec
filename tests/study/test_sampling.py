"""Spike 2, kept: suggestions are adaptive, distinct and resumable, with the real store and Optuna's real samplers."""

import math
import statistics
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from search_spaces import space as spaces
from study import sampling
from study.sampling import STARTUP_TRIALS, suggest
from study.store import Store

GRID = {
    "temperature": spaces.distribution({"choices": [1, 4]}),
    "lambda_cls": spaces.distribution({"choices": [1, 2, 3, 4]}),
}
RANGE = {
    "temperature": FloatDistribution(0.5, 16, log=True),
    "lambda_cls": FloatDistribution(0.1, 8, log=True),
}
# Gaussian processes import torch and fit for a tenth of a second a call.
SAMPLERS = ["random", "tpe", "grid", pytest.param("gp", marks=pytest.mark.slow)]


def error(point) -> float:
    """A smooth error with its least value 0.1 at T = 4, λ = 1, far from the middle of the range."""
    return 0.1 + 0.05 * (math.log(point["temperature"] / 4) ** 2 + math.log(point["lambda_cls"] / 1) ** 2)


class Search:
    """A search as a driver runs it: at most ``concurrency`` trials run, and the oldest ends first."""

    def __init__(self, path: Path, space, sampler: str, *, seed: int = 0, concurrency: int = 4) -> None:
        self.path, self.space, self.sampler, self.seed, self.concurrency = path, space, sampler, seed, concurrency
        self.store = Store(path, "s", minimizes=True)

    def suggest(self):
        trials = self.store.trials("search")
        return suggest(self.space, trials, sampler=self.sampler, seed=self.seed, number=len(trials), minimizes=True)

    def start(self):
        point = self.suggest()
        return None if point is None else self.store.begin("search", point, self.space, {})

    def end_oldest(self) -> None:
        trial = self.store.running("search")[0]
        self.store.tell(trial, TrialState.COMPLETE, error(trial.params), 1, None)

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

    def reopened(self) -> "Search":
        self.store.close()
        return Search(self.path, self.space, self.sampler, seed=self.seed, concurrency=self.concurrency)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_eight_distinct_cells_of_eight_at_a_concurrency_of_four(tmp_path: Path, sampler: str) -> None:
    search = Search(tmp_path / "db", GRID, sampler)
    keys = {spaces.key(point) for point in search.run(20)}
    assert len(search.points()) == 8
    assert keys == {spaces.key(cell) for cell in spaces.cells(GRID)}
    assert search.suggest() is None


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_reopened_search_repeats_nothing_and_goes_on_as_if_unbroken(tmp_path: Path, sampler: str) -> None:
    space = GRID if sampler == "grid" else RANGE
    trials = 8 if sampler == "grid" else STARTUP_TRIALS + 2
    unbroken = Search(tmp_path / "a", space, sampler)
    broken = Search(tmp_path / "b", space, sampler)
    for number in range(trials):
        for search in (unbroken, broken):
            while len(search.store.running("search")) >= 2:
                search.end_oldest()
        if number in (3, STARTUP_TRIALS + 1):
            broken = broken.reopened()  # two trials are running here
        assert broken.start().params == unbroken.start().params
    assert len({spaces.key(point) for point in broken.points()}) == trials


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_trials_give_the_same_suggestion_in_whatever_order_they_are_given(tmp_path, sampler) -> None:
    space = GRID if sampler == "grid" else RANGE
    search = Search(tmp_path / "db", space, sampler)
    search.run(6 if sampler == "grid" else STARTUP_TRIALS + 1)
    if sampler != "grid":
        search.start()  # and one that runs
    trials = search.store.trials("search")
    asked = {"sampler": sampler, "seed": 0, "number": len(trials), "minimizes": True}
    expected = suggest(space, trials, **asked)
    assert suggest(space, trials[::-1], **asked) == expected
    if sampler != "grid":
        assert suggest(space, trials, **asked | {"number": len(trials) + 1}) != expected
        assert suggest(space, trials, **asked | {"seed": 1}) != expected


def late_errors(sampler: str, seed: int, trials: int, late: int) -> list[float]:
    """Errors of the last ``late`` suggestions of a search without a database."""
    done = []
    for number in range(trials):
        point = suggest(RANGE, done, sampler=sampler, seed=seed, number=number, minimizes=True)
        done.append(create_trial(value=error(point), params=point, distributions=RANGE))
    return [trial.value - 0.1 for trial in done[-late:]]


@pytest.mark.parametrize(
    ("sampler", "trials", "late", "seeds"), [("tpe", 50, 15, 2), pytest.param("gp", 16, 4, 1, marks=pytest.mark.slow)]
)
def test_later_suggestions_are_nearer_to_the_optimum_than_random_ones(sampler, trials, late, seeds) -> None:
    blind = [x for seed in range(10) for x in late_errors("random", seed, 10, 10)]
    adaptive = [x for seed in range(seeds) for x in late_errors(sampler, seed, trials, late)]
    assert statistics.mean(adaptive) < 0.5 * statistics.mean(blind)


def test_controls_and_confirmations_leave_the_relative_space_whole(tmp_path: Path) -> None:
    """They live in studies of their own, for the GP samples relatively only what all completed trials share."""
    search = Search(tmp_path / "db", RANGE, "tpe")
    for phase in ("controls", "confirm"):
        trial = search.store.begin(phase, {}, {}, {"arm": "search/0", "seed": 1})
        search.store.tell(trial, TrialState.COMPLETE, 0.5, 1, None)
    search.run(STARTUP_TRIALS)
    study = optuna.create_study()
    study.add_trials(search.store.trials("search"))
    for sampler in ("tpe", "gp"):
        found = sampling._sampler(sampler, 0).infer_relative_search_space(study, study.trials[0])
        assert set(found) == set(RANGE)
    study.add_trial(create_trial(value=0.5, params={}, distributions={}))  # a control among them would empty it
    assert sampling._sampler("gp", 0).infer_relative_search_space(study, study.trials[0]) == {}


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.PRUNED])
def test_failed_and_pruned_points_are_not_tried_again(tmp_path: Path, sampler: str, state: TrialState) -> None:
    search = Search(tmp_path / "db", GRID, sampler, concurrency=1)
    for _ in range(3):
        search.store.tell(search.start(), state, None if state == TrialState.FAIL else 0.3, 1, None)
    search.run(20)
    assert len({spaces.key(point) for point in search.points()}) == len(search.points()) == 8


def test_a_grid_goes_through_its_cells_in_order(tmp_path: Path) -> None:
    assert Search(tmp_path / "db", GRID, "grid", concurrency=3).run(5) == list(spaces.cells(GRID))[:5]


def test_maximizing_turns_the_objective_around() -> None:
    points = [suggest(RANGE, [], sampler="random", seed=0, number=n, minimizes=True) for n in range(40)]
    done = [create_trial(value=error(point), params=point, distributions=RANGE) for point in points]

    def mean_error(*, minimizes: bool) -> float:
        asked = {"sampler": "tpe", "seed": 0, "minimizes": minimizes}
        return statistics.mean(error(suggest(RANGE, done, number=40 + n, **asked)) for n in range(8))

    assert mean_error(minimizes=True) < mean_error(minimizes=False)


def test_a_space_of_a_billion_cells_is_not_listed() -> None:
    space = {"x": spaces.distribution({"low": 0, "high": 1, "step": 1e-9})}
    points = [suggest(space, [], sampler="random", seed=0, number=n, minimizes=True) for n in range(3)]
    assert len({spaces.key(point) for point in points}) == 3
