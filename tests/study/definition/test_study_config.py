"""Study files: what is valid, what each mistake is told as, and what the runs of a study are."""

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.space import distribution
from study.definition import loading
from study.definition.loading import build, load
from study.errors import StudyFileError
from tests.kit.fakes.toy import STUDY

TOY = yaml.safe_load(STUDY)
SMALLEST = {"name": "s", "dataset": "digits", "model": "preact_resnet10", "method": "cs_kd"}


def edited(**changes) -> dict:
    """The toy's study file with ``search__trials=3`` in place of ``search.trials``."""
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


@pytest.mark.parametrize("preset", loading.presets())
def test_every_preset_loads_and_its_resolved_file_is_the_same_study(preset: str) -> None:
    study = loading.preset(preset)
    assert study.name == preset
    again = build(study.resolved(), "x")
    assert again.resolved() == study.resolved()
    assert again.digest() == study.digest()
    assert again.space() == study.space()
    assert build(again.resolved(), "x") == again


def test_where_the_data_lies_is_no_part_of_a_study() -> None:
    places = ("/data", "s3://bucket/data?region=eu-north-1")
    here, there = (build(SMALLEST | {"dataset": {"name": "cub200", "root": root}}, "x") for root in places)
    assert tuple(each.resolved()["dataset"]["root"] for each in (here, there)) == places
    assert here.digest() == there.digest()
    assert here.search_config({}, 0).digest() == there.search_config({}, 0).digest()


def test_a_place_of_data_that_holds_a_key_is_refused_without_being_shown() -> None:
    dataset = {"name": "cub200", "root": "s3://me:canary-3@bucket/data"}
    with pytest.raises(StudyFileError, match=r"dataset: root: holds a key; leave it out") as caught:
        build(SMALLEST | {"dataset": dataset}, "x")
    assert "canary-3" not in str(caught.value)


def test_there_are_presets() -> None:
    assert {"digits", "cifar100-preact_resnet18-cs_kd"} <= set(loading.presets())


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
    (edited(search__objectives=2 * ["validation/nll"]), "search: objectives hold a metric twice"),
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
    (edited(confirm={"seeds": [1, 1]}), "confirm: seeds hold a value twice"),
    (edited(confirm={"seeds": [2**31]}), "confirm.seeds.0: input should be less than 2147483648"),
    (edited(confirm={"seeds": []}), "confirm.seeds: "),
    (edited(search__space={}), "search.space: is empty"),
    (edited(search__space={"temperature": {}}), "search.space.temperature: a range needs low and high"),
    (edited(search__space={"temperature": 4}), "search.space.temperature: is a mapping of keys, not 4"),
    (
        edited(search__space={"temprature": {"choices": [1]}}),
        "search.space: cs_kd has no parameter 'temprature'; did you mean 'temperature'? It has",
    ),
    (edited(search__space={"a/b": {"choices": [1]}}), "search.space: 'a/b' is no parameter's name"),
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
def test_a_mistake_is_told_in_one_line_with_its_path(content: dict, message: str) -> None:
    with pytest.raises(StudyFileError) as caught:
        build(content, "my.yaml")
    lines = str(caught.value).split("\n")
    assert len(lines) == 1
    assert lines[0].startswith("my.yaml: ")
    assert message in lines[0]


def test_several_mistakes_are_told_in_a_line_each() -> None:
    with pytest.raises(StudyFileError) as caught:
        build(edited(training__lr=-1, search__trials=0, nam="x"), "my.yaml")
    assert [line.split(": ")[1] for line in str(caught.value).split("\n")] == ["training.lr", "search.trials", "nam"]


def test_numbers_that_yaml_reads_as_text() -> None:
    content = edited(
        training__weight_decay="1e-3", search__space={"training.lr": {"low": "1e-3", "high": "1e-1", "log": True}}
    )
    study = build(content, "x")
    assert study.training.weight_decay == 1e-3
    assert study.space()["training.lr"] == distribution({"low": 0.001, "high": 0.1, "log": True})


def test_neither_a_file_nor_a_preset() -> None:
    for source in (300 * "x", "no/such/file.yaml", "a\0b"):
        with pytest.raises(StudyFileError, match=r"neither a file nor a preset; `cskd presets` lists presets"):
            load(source)
    with pytest.raises(StudyFileError, match=r"digit: neither a file nor a preset; did you mean 'digits'\?"):
        load("digit")


def test_overrides(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(STUDY)
    study = load(
        path,
        {
            "search.trials": 3,
            "search.space.training.lr.low": 0.01,
            "search.space.training.lr.high": 1,
            "search.space.temperature": {"low": 2, "high": 3},
            "method.temperature": 2,
            "resources.max_concurrent": 1,
            "controls": [],
        },
    )
    assert study.search.trials == 3
    assert study.space()["training.lr"] == distribution({"low": 0.01, "high": 1})
    assert study.space()["temperature"] == distribution({"low": 2, "high": 3})
    assert study.space()["lambda_cls"] == distribution({"choices": [1, 2, 3, 4]})
    assert study.method.model_dump()["temperature"] == 2
    assert study.resources.max_concurrent == 1
    assert study.controls == ()
    with pytest.raises(StudyFileError, match=r"training.epoch: unknown key; did you mean .epochs"):
        load(path, {"training.epoch": 3})


def test_planned_trials_are_at_most_the_cells() -> None:
    assert build(edited(), "x").planned_trials(100) == 8
    assert build(edited(), "x").planned_trials(3) == 3
    assert build(edited(search__space={"temperature": {"low": 1, "high": 2}}), "x").planned_trials(100) == 100
    one = edited(search__space={"temperature": {"low": 2, "high": 2}})
    assert build(one, "x").planned_trials(100) == 1


def test_the_objective_has_a_direction() -> None:
    assert not build(edited(search__objectives=["validation/recall_at_1"]), "x").minimizes
    assert build(edited(search__objectives=["validation/nll"]), "x").minimizes


def test_a_search_trials_run() -> None:
    study = build(edited(), "x")
    found = study.search_config({"temperature": 3.0, "training.lr": 0.05}, 2)
    assert (found.method.temperature, found.method.lambda_cls) == (3.0, 1.0)
    assert found.training.lr == 0.05
    assert found.training.epochs == 4
    assert found.train_on == "train"
    assert (found.dataset, found.model) == (study.dataset, study.model)


def test_controls() -> None:
    controls = [
        {"method": "cross_entropy"},
        {"temperature": 2, "lambda_cls": 0},
        {"method": {"name": "label_smoothing", "epsilon": 0.2}},
        {"method": "cs_kd", "training": {"lr": 0.01}},
    ]
    study = build(edited(controls=controls, method={"name": "cs_kd", "lambda_e": 0.5}), "x")
    found = [study.control_config(number) for number in range(4)]
    assert [one.method.part_name() for one in found] == ["cross_entropy", "cs_kd", "label_smoothing", "cs_kd"]
    assert (found[1].method.temperature, found[1].method.lambda_cls, found[1].method.lambda_e) == (2, 0, 0.5)
    assert found[2].method.epsilon == 0.2
    assert found[3].method.lambda_e == 0  # another method starts from its own defaults
    assert [one.training.lr for one in found] == [0.1, 0.1, 0.1, 0.01]
    assert found[3].training.epochs == 4


@given(st.integers(0, 2**31 - 1), st.booleans())
@settings(max_examples=30)
def test_seeds_of_search_controls_and_confirmations_never_meet(seed: int, vary: bool) -> None:
    study = build(edited(search__sampler={"seed": seed}, search__vary_seed=vary, controls=20 * [{}]), "x")
    search = [study.search_config({}, number).seed for number in range(20)]
    controls = [study.control_config(number).seed for number in range(20)]
    assert min(search + controls) >= 2**31  # confirmation seeds lie below
    if vary:
        assert len({*search, *controls}) == 40
    else:
        assert {*search, *controls} == {2**31 + seed}


def test_another_sampler_seed_gives_other_training_seeds() -> None:
    first, second = (build(edited(search__sampler={"seed": seed}), "x") for seed in (0, 1))
    assert first.search_config({}, 0).seed != second.search_config({}, 0).seed
    assert first.search_config({}, 0).seed == build(edited(), "x").search_config({}, 0).seed
