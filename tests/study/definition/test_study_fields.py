"""Tests of the search space and the run configurations that a study file defines."""

from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.space import distribution


def test_numbers_that_yaml_reads_as_strings_are_numbers(toy) -> None:
    study = toy(
        training__weight_decay="1e-3", search__space={"training.lr": {"low": "1e-3", "high": "1e-1", "log": True}}
    )
    assert study.training.weight_decay == 1e-3
    assert study.space()["training.lr"] == distribution({"low": 0.001, "high": 0.1, "log": True})


def test_search_config_sets_the_sampled_parameters(toy) -> None:
    study = toy()
    found = study.search_config({"temperature": 3.0, "training.lr": 0.05}, 2)
    assert (found.method.temperature, found.method.lambda_cls) == (3.0, 1.0)
    assert found.training.lr == 0.05
    assert found.training.epochs == 4
    assert found.train_on == "train"
    assert (found.dataset, found.model) == (study.dataset, study.model)


def test_control_config_overrides_the_studys_options(toy) -> None:
    controls = [
        {"method": "cross_entropy"},
        {"temperature": 2, "lambda_cls": 0},
        {"method": {"name": "label_smoothing", "epsilon": 0.2}},
        {"method": "cs_kd", "training": {"lr": 0.01}},
    ]
    study = toy(controls=controls, method={"name": "cs_kd", "lambda_e": 0.5})
    found = [study.control_config(number) for number in range(4)]
    assert [one.method.part_name() for one in found] == ["cross_entropy", "cs_kd", "label_smoothing", "cs_kd"]
    assert (found[1].method.temperature, found[1].method.lambda_cls, found[1].method.lambda_e) == (2, 0, 0.5)
    assert found[2].method.epsilon == 0.2
    assert found[3].method.lambda_e == 0  # another method starts from its own defaults
    assert [one.training.lr for one in found] == [0.1, 0.1, 0.1, 0.01]
    assert found[3].training.epochs == 4


@given(st.integers(0, 2**31 - 1), st.booleans())
@settings(max_examples=30)
def test_search_and_controls_share_no_seed_with_the_confirmation(toy, seed: int, vary: bool) -> None:
    study = toy(search__sampler={"seed": seed}, search__vary_seed=vary, controls=20 * [{}])
    search = [study.search_config({}, number).seed for number in range(20)]
    controls = [study.control_config(number).seed for number in range(20)]
    assert min(search + controls) >= 2**31  # confirmation seeds lie below
    if vary:
        assert len({*search, *controls}) == 40
    else:
        assert {*search, *controls} == {2**31 + seed}


def test_another_sampler_seed_gives_other_training_seeds(toy) -> None:
    first, second = (toy(search__sampler={"seed": seed}) for seed in (0, 1))
    assert first.search_config({}, 0).seed != second.search_config({}, 0).seed
    assert first.search_config({}, 0).seed == toy().search_config({}, 0).seed
