"""Searches that start with the best points of other studies."""

import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from search_spaces.space import distribution
from study.errors import UsageError
from study.outcome import result_files
from study.search import ranking
from study.search.warm_start import points, warm_started
from tests.kit.fakes.executor import Executor

GRID = {"temperature": distribution({"choices": [1, 4]}), "lambda_cls": distribution({"choices": [1, 2, 3, 4]})}


def best_of(study) -> list[dict]:
    return [trial.params for trial in ranking.ranked(study)]


@pytest.fixture
def found(new_study):
    """Two finished studies with different objectives, whose values are not comparable."""
    studies = [
        new_study(name="first", search__trials=6),
        new_study(name="second", search__trials=6, search__sampler__seed=5, search__objectives=["validation/nll"]),
    ]
    for study in studies:
        Executor(study).run()
    return studies


def test_the_best_points_of_each_study_come_first_regardless_of_their_values(found) -> None:
    first, second = map(best_of, found)
    expected = []
    for point in (point for pair in zip(first, second, strict=True) for point in pair):
        if point not in expected:
            expected.append(point)
    assert points(GRID, [study.directory for study in found], 4) == expected[:4]
    assert points(GRID, [study.directory for study in found], 99) == expected


def test_the_points_are_tried_first_and_once(found, new_study, toy) -> None:
    config = warm_started(toy(name="warm"), [found[0].directory])
    assert [dict(point) for point in config.search.first] == best_of(found[0])[:4]
    study = new_study(**{"name": "warm", "search__first": [dict(point) for point in config.search.first]})
    Executor(study, slots=3).run()
    tried = [trial.params for trial in study.store.trials("search")]
    assert tried[:4] == best_of(found[0])[:4]
    assert len({tuple(sorted(point.items())) for point in tried}) == 8  # the whole grid, each cell once
    assert all(trial.state == TrialState.COMPLETE for trial in study.store.trials("search"))


def test_points_outside_a_narrower_space_are_moved_to_its_border(found) -> None:
    narrow = {"temperature": FloatDistribution(2, 3), "lambda_cls": FloatDistribution(1.5, 8, log=True)}
    for point in points(narrow, [found[0].directory]):
        assert all(narrow[name].low <= value <= narrow[name].high for name, value in point.items())
    stepped = {"temperature": FloatDistribution(1, 4), "lambda_cls": FloatDistribution(1, 4, step=1)}
    assert points(stepped, [found[0].directory], 1) == best_of(found[0])[:1]


def test_points_with_unknown_choices_are_skipped(found) -> None:
    space = {"temperature": CategoricalDistribution([4.0, 9.0]), "lambda_cls": FloatDistribution(1, 4)}
    expected = [point for point in best_of(found[0]) if point["temperature"] == 4]
    assert points(space, [found[0].directory], 99) == expected


def test_a_study_with_other_parameters_is_refused(found) -> None:
    with pytest.raises(UsageError, match="searched lambda_cls, temperature, not temperature"):
        points({"temperature": FloatDistribution(1, 4)}, [found[0].directory])


def test_a_study_without_a_completed_trial_is_refused(new_study) -> None:
    study = new_study()
    result_files.write_results(study)
    with pytest.raises(UsageError, match="no search trial has completed"):
        points(GRID, [study.directory])


def test_the_frozen_study_file_holds_the_points(found, toy) -> None:
    config = warm_started(toy(search__first=[{"temperature": 1, "lambda_cls": 4}]), [found[0].directory], 2)
    kept = yaml.safe_load(yaml.safe_dump(config.resolved()))["search"]["first"]
    assert kept[0] == {"temperature": 1, "lambda_cls": 4}
    assert {"temperature", "lambda_cls"} == set(kept[1])
