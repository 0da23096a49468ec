"""Tests of study configurations: defaults, digests, and the message of each mistake."""

import copy

import pytest
import yaml

from study.definition.loading import build
from study.errors import StudyFileError
from tests.kit.fakes.toy import STUDY

TOY = yaml.safe_load(STUDY)
SMALLEST = {"name": "s", "dataset": "digits", "model": "preact_resnet10", "method": "cs_kd"}


def edited(**changes) -> dict:
    """Returns the content of the toy study file; ``search__trials=3`` sets ``search.trials``."""
    content = copy.deepcopy(TOY)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = content
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return content


def test_defaults() -> None:
    study = build(SMALLEST, "x")
    assert study.objective == "validation/top1_error"
    assert study.minimizes
    assert study.search.sampler.name == "gp"
    assert study.confirm.seeds == (1, 2, 3)
    assert set(study.space()) == {"temperature", "lambda_cls"}
    assert study.planned_trials(40) == 40
    assert study.resources.retries == 3
    assert build(SMALLEST | {"resources": "auto"}, "x") == study


def test_the_digest_ignores_where_the_data_lies() -> None:
    places = ("/data", "s3://bucket/data?region=eu-north-1")
    here, there = (build(SMALLEST | {"dataset": {"name": "cub200", "root": root}}, "x") for root in places)
    assert tuple(each.resolved()["dataset"]["root"] for each in (here, there)) == places
    assert here.digest() == there.digest()
    assert here.search_config({}, 0).digest() == there.search_config({}, 0).digest()


def test_a_data_uri_with_a_key_is_refused_without_being_shown() -> None:
    dataset = {"name": "cub200", "root": "s3://me:canary-3@bucket/data"}
    with pytest.raises(StudyFileError, match=r"dataset: root: holds a key; leave it out") as caught:
        build(SMALLEST | {"dataset": dataset}, "x")
    assert "canary-3" not in str(caught.value)


MISTAKES = [
    (edited(trainings={}), "trainings: unknown key; did you mean 'training'?"),
    (edited(training__epoch=3), "training.epoch: unknown key; did you mean 'epochs'?"),
    (edited(search__sampler={"nam": "gp"}), "search.sampler.nam: unknown key; did you mean 'name'?"),
    (
        edited(search__sampler={"name": "gpp"}),
        "search.sampler.name: input should be 'gp', 'tpe', 'nsgaii', 'random', 'qmc' or 'grid'",
    ),
    (edited(method={"name": "cs_kd", "temperatur": 1}), "method: temperatur: unknown key; did you mean 'temperature'?"),
    (edited(method="cs_dk"), "method: no method is called 'cs_dk'; did you mean 'cs_kd'?"),
    (edited(method=[1]), "method: give the name of one of: adacos, byot, cross_entropy, cs_kd"),
    (edited(model={"name": "preact_resnet10", "widht": 8}), "model: widht: unknown key; did you mean 'width'?"),
    (edited(dataset={"name": "digits", "validation": {"per_class": 0}}), "dataset: validation.per_class: "),
    (edited(dataset={"name": "digit"}), "dataset: no dataset is called 'digit'; did you mean 'digits'?"),
    (edited(training__lr="fast"), "training.lr: input should be a valid number"),
    (edited(training__lr=-1), "training.lr: input should be greater than 0, not -1"),
    (edited(training__lr=float("nan")), "training.lr: input should be a finite number"),
    (edited(training__weight_decay=float("inf")), "training.weight_decay: input should be a finite number"),
    (edited(search__trials=0), "search.trials: input should be greater than or equal to 1"),
    (edited(resources={"max_concurrent": -1}), "resources.max_concurrent: "),
    (edited(resources={"retries": -1}), "resources.retries: "),
    (edited(resources="all"), "resources: "),
    (edited(search__first=[{"temperature": 1}]), "search.first.0: a point has the parameters temperature, lambda_cls"),
    (edited(search__first=[{"temperature": 4, "lambda_cls": 7}]), "search.first.0.lambda_cls: 7 is not in {'low': 1"),
    (edited(search__objectives=2 * ["validation/nll"]), "search: objectives contain a duplicate metric"),
    (
        edited(
            search__objectives=["validation/nll", "validation/ece"],
            search__scheduler={"name": "asha"},
            search__sampler={"name": "tpe"},
        ),
        "search.scheduler: needs a single objective; set the scheduler to none",
    ),
    (
        edited(search__objectives=["validation/nll", "validation/ece"], search__stop_rule="expected_improvement"),
        "search.stop_rule: needs a single objective; set it to none",
    ),
    (edited(search__budget={"hours": 0}), "search.budget.hours: input should be greater than 0"),
    (edited(search__scheduler={"name": "asha", "grace": 1.5}), "search.scheduler.grace: input should be less than 1"),
    (edited(search__scheduler={"name": "asha", "reduction": 1}), "search.scheduler.reduction: "),
    (
        edited(search__scheduler={"name": "median", "grace": 0.5}, search__sampler={"name": "tpe"}),
        "search.scheduler.grace: 0.5 ends before the learning rate first falls, at 0.5 of the epochs",
    ),
    (edited(search__objectives=["validation/top1"]), "'validation/top1' is not an objective; choose from: validation/"),
    (edited(search__objectives=["test/top1_error"]), "'test/top1_error' is not an objective"),
    (edited(search__objectives=["validation/top1_error", "cost"]), "'cost' is not an objective: temperatures, weights"),
    (edited(search__objectives=["device_seconds"]), "do not change the cost of a run"),
    (edited(search__objectives=[]), "search.objectives: "),
    (edited(confirm={"seeds": [1, 1]}), "confirm: seeds contain a duplicate value"),
    (edited(confirm={"seeds": [2**31]}), "confirm.seeds.0: input should be less than 2147483648"),
    (edited(confirm={"seeds": []}), "confirm.seeds: "),
    (edited(search__space={}), "search.space: is empty"),
    (edited(search__space={"temperature": {}}), "search.space.temperature: a range needs low and high"),
    (edited(search__space={"temperature": 4}), "search.space.temperature: is a mapping of keys, not 4"),
    (
        edited(search__space={"temprature": {"choices": [1]}}),
        "search.space: cs_kd has no parameter 'temprature'; did you mean 'temperature'? It has",
    ),
    (edited(search__space={"a/b": {"choices": [1]}}), "search.space: 'a/b' is not the name of a parameter"),
    (
        edited(search__space={"training.epochs": {"choices": [1]}}),
        "search.space: cs_kd has no parameter 'training.epochs'",
    ),
    (
        edited(search__space={"temperature": {"low": 0, "high": 4}}),
        "method: temperature: input should be greater than 0",
    ),
    (
        edited(search__space={"temperature": {"choices": [-1, 1, 3]}}),
        "method: temperature: input should be greater than",
    ),
    (
        edited(search__space={"temperature": {"choices": ["a", 1]}}),
        "method: temperature: input should be a valid number",
    ),
    (edited(search__space={"training.lr": {"low": -1, "high": 1}}), "training.lr: input should be greater than 0"),
    (edited(method="cross_entropy"), "search.space: cross_entropy has no parameter 'temperature'; it has none;"),
    (edited(method="cross_entropy", search={}), "search.space: cross_entropy has no default space; name what is"),
    (
        edited(search={"space": {"temperature": {"low": 1, "high": 2}}, "sampler": {"name": "grid"}}),
        "search.space: a grid needs choices or a step",
    ),
    (
        edited(search={"space": {"temperature": {"low": 1, "high": 2, "step": 1e-7}}, "sampler": {"name": "grid"}}),
        "search.space: a grid of 10,000,001 points is too large (at most 1,000,000)",
    ),
    (
        edited(controls=[{"method": "cross_entropi"}]),
        "controls.0: method: no method is called 'cross_entropi'; did you",
    ),
    (
        edited(controls=[{}, {"temperatur": 1}]),
        "controls.1: method: temperatur: unknown key; did you mean 'temperature'?",
    ),
    (edited(controls=[{"temperature": -1}]), "controls.0: method: temperature: input should be greater than 0"),
    (edited(controls=[{"training": {"lr": 0}}]), "controls.0: training.lr: input should be greater than 0"),
    (edited(controls=[{"training": 5}]), "controls.0.training: is a mapping of options, not 5"),
    (edited(controls=[{"training": "fast"}]), "controls.0.training: is a mapping of options, not 'fast'"),
    (edited(controls={"method": "cs_kd"}), "controls: input should be a list"),
    (edited(search__sampler={"seed": 2**31}), "search.sampler.seed: input should be less than 2147483648"),
    ({key: value for key, value in TOY.items() if key != "method"}, "method: is missing"),
]
NAMES = ["../x", "/abs", "", 300 * "x", "a\nb", "dot.", ".hidden", "-x", "a/b", "a b", "ä", "x\n"]
MISTAKES += [(edited(name=name), "name: a name has 1 to 100 letters, digits, '.', '_' or '-'") for name in NAMES]


@pytest.mark.parametrize(("content", "message"), MISTAKES)
def test_a_mistake_is_reported_in_one_line_with_its_path(content: dict, message: str) -> None:
    with pytest.raises(StudyFileError) as caught:
        build(content, "my.yaml")
    lines = str(caught.value).split("\n")
    assert len(lines) == 1
    assert lines[0].startswith("my.yaml: ")
    assert message in lines[0]


def test_planned_trials_are_at_most_the_number_of_cells() -> None:
    assert build(edited(), "x").planned_trials(100) == 8
    assert build(edited(), "x").planned_trials(3) == 3
    assert build(edited(search__space={"temperature": {"low": 1, "high": 2}}), "x").planned_trials(100) == 100
    one = edited(search__space={"temperature": {"low": 2, "high": 2}})
    assert build(one, "x").planned_trials(100) == 1


def test_the_direction_follows_from_the_objective() -> None:
    assert not build(edited(search__objectives=["validation/recall_at_1"]), "x").minimizes
    assert build(edited(search__objectives=["validation/nll"]), "x").minimizes
