"""Replays of searches on the recorded surface."""

import numpy as np
import pytest

from tests.benchmarks.search import halving, races, samplers, schedulers
from tests.benchmarks.surface import read


class Recorder:
    """Sampler that suggests one point and records its calls."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def suggest(self, number):
        self.events.append(("suggest", number))
        return {"temperature": 4.0, "lambda_cls": 1.0}

    def tell(self, number, value):
        self.events.append(("tell", number))


def test_four_trials_run_at_once_and_the_oldest_ends_first():
    recorder = Recorder()
    seeds = np.arange(6)
    search = samplers.replay(recorder, read("plane"), seeds)
    begun = [("suggest", number) for number in range(4)]
    after = [("tell", 0), ("suggest", 4), ("tell", 1), ("suggest", 5)]
    assert recorder.events == [*begun, *after, *(("tell", number) for number in (2, 3, 4, 5))]
    surface = read("plane")
    cell = surface.cell({"temperature": 4.0, "lambda_cls": 1.0})
    assert list(search.values) == list(surface.finals["top1_error"][(*cell, seeds)])


def test_the_worth_of_the_luckiest_trial_is_the_mean_of_its_setting():
    surface = read("plane")
    search = samplers.search_of("random", 0)
    found = samplers.worth(surface, search, samplers.luckiest)
    winner = min(range(16), key=lambda number: search.values[number])
    assert found[samplers.CHECKED.index(16)] == surface.means["top1_error"][surface.cell(search.points[winner])]
    assert (found >= surface.means["top1_error"].min()).all()


def test_the_posterior_mean_rejects_an_outlier():
    space = read("plane").space
    points = [{"temperature": 4.0, "lambda_cls": 0.1 * 1.3**number} for number in range(16)]
    values = np.linspace(0.10, 0.25, 16)
    values[12] = 0.09
    assert samplers.luckiest(points, values, space) == 12
    assert samplers.believed(points, values, space) < 4
    assert samplers.believed(points[:15], values[:15], space) == 12  # too few trials for a posterior


@pytest.mark.parametrize("name", ["qmc", "random", samplers.RAYS])
def test_a_search_depends_only_on_its_repetition(name):
    first, again, other = (samplers.search_of(name, seed) for seed in (1, 1, 2))
    assert first.points == again.points
    assert first.points != other.points


def test_the_projects_samplers_cover_the_whole_grid():
    assert samplers.distinct_points("random", 0) == 8
    assert samplers.distinct_points(samplers.RAYS, 0) <= 8


def test_the_interval_contains_the_mean():
    differences = np.random.default_rng(0).normal(1.0, 1.0, 100)
    low, high = samplers.interval(differences)
    assert low < differences.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * differences.std() / 10, rel=0.1)


@pytest.mark.parametrize("sampler", schedulers.SAMPLERS)
def test_schedulers_train_fewer_epochs_but_at_least_up_to_their_first_rung(sampler):
    found = {name: schedulers.replay(sampler, name, 0) for name in schedulers.SCHEDULERS}
    whole = schedulers.TRIALS * schedulers.TRAINING.epochs
    assert found["none"].epochs == whole
    for name, scheduler in schedulers.SCHEDULERS.items():
        if name != "none":
            assert scheduler.rungs(schedulers.TRAINING)[0] * schedulers.TRIALS <= found[name].epochs < whole


@pytest.mark.parametrize("sampler", schedulers.SAMPLERS)
def test_halving_trains_fewer_epochs_than_full_schedules(sampler):
    found = halving.replay(sampler, "halving", 0)
    lengths = halving.SCHEDULERS["halving"][0].lengths(schedulers.TRAINING)
    assert lengths[-1] == schedulers.TRAINING.epochs
    assert schedulers.TRIALS * lengths[0] < found.epochs < schedulers.TRIALS * schedulers.TRAINING.epochs
    assert all(0.05 < worth < 0.9 for worth in found.worth.values())


def test_a_race_keeps_the_best_candidate_with_fewer_runs():
    found = races.measure(40).figures
    for finalists in races.FINALISTS:
        assert found[f"{finalists} finalists, runs"] < found["runs of all candidates with all seeds"]
        assert found[f"{finalists} finalists, keeps"] >= 0.95
        assert found[f"{finalists} finalists, raced"] < found[f"{finalists} finalists, searched"]
