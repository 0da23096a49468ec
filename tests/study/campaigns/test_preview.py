"""Tests of the description of a study against hand counts."""

from study.campaigns import preview
from study.definition.loading import build, load
from study.definition.template import STARTING_POINT
from study.driver.comparability import describe_data


def test_the_digits_preset() -> None:
    found = preview.describe(load("digits"))
    # 16 trials, 1 control; 1 finalist and 1 control with 5 seeds; 60 epochs each
    assert (found["trials"], found["confirmations"], found["runs"], found["epochs"]) == (16, 10, 27, 27 * 60)
    assert (found["controls"], found["finalists"], found["seeds"]) == (["cross_entropy"], 1, 5)
    texts = preview.entries(found)
    assert texts["training"] == "cs_kd on digits with preact_resnet10, 60 epochs per run"
    assert texts["search space"] == "temperature 0.5 to 16 (log); lambda_cls 0.1 to 8 (log)"
    assert texts["search"] == "validation/top1_error with gp, 16 trials, no scheduler"
    assert texts["controls"] == "1 (cross_entropy)"
    assert texts["confirmation"].startswith(
        "1 finalist and 1 control with 5 seeds, trained on the training set without"
    )
    assert texts["total"] == "27 runs, at most 1,620 epochs"


def test_a_small_grid_no_controls_and_a_control_with_more_epochs() -> None:
    search = {
        "space": {"temperature": {"choices": [1, 4, 9]}, "lambda_e": {"low": 0, "high": 1, "step": 1}},
        "sampler": {"name": "tpe"},
        "scheduler": {"name": "asha"},
    }
    base = STARTING_POINT | {"search": search, "training": {"epochs": 10}, "confirm": {"finalists": 9, "seeds": [1]}}
    found = preview.describe(build(base | {"controls": []}, "x"))
    assert (found["trials"], found["finalists"], found["runs"]) == (6, 6, 12)
    texts = preview.entries(found)
    assert texts["controls"] == "none"
    assert texts["search space"] == "temperature in {1, 4, 9}; lambda_e 0 to 1 in steps of 1"
    assert texts["search"].endswith("6 trials, asha stops trials early")
    assert "full training set" in texts["confirmation"]
    longer = preview.describe(build(base | {"controls": [{"training": {"epochs": 50}}]}, "x"))
    assert longer["epochs"] == found["epochs"] + 50 + 50


def test_halving_may_take_more_epochs_than_its_ladder() -> None:
    search = {"sampler": {"name": "tpe"}, "scheduler": {"name": "halving"}, "trials": 8}
    found = preview.describe(build(STARTING_POINT | {"search": search, "training": {"epochs": 20}}, "x"))
    assert preview.entries(found)["total"].endswith(" epochs, or more if better points are found late")


def test_data_that_were_read_are_counted() -> None:
    found = describe_data(load("digits"))
    assert preview.data_entries(found) == {
        "data": "10 classes, 159 training images, 740 validation images; the test set was not read",
        "digests": f"data {found['data_digest']}, split {found['split_digest']}",
    }
    assert preview.data_entries({}) == {}
