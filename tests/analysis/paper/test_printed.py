import csv
from importlib.resources import files
from typing import Any

import pytest

from analysis.paper.printed import comparable, published


def run(dataset: str = "cifar100", **training: Any) -> dict[str, Any]:
    return {
        "dataset": {"name": dataset, "subset": {"classes": None, "train_per_class": None}},
        "model": {"name": "preact_resnet18", "width": 64, "input_size": 32},
        "training": {"epochs": 200, "batch_size": 128, "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4} | training,
        "train_on": "full",
    }


def test_every_printed_value_is_found() -> None:
    with (files("analysis.paper") / "printed.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 265
    for row in rows:
        value = published(row["dataset"], row["model"], row["method"], row["metric"])
        assert value is not None
        if row["table"] != "text":  # the running text repeats a value, and once misquotes it
            assert value.mean == pytest.approx(float(row["mean_percent"]) / 100, rel=1e-12)
            assert value.std == (
                pytest.approx(float(row["std_percent"]) / 100, rel=1e-9) if row["std_percent"] else None
            )
            assert value.seeds == (int(row["n_seeds"]) if row["n_seeds"] else None)


def test_values_as_the_paper_prints_them() -> None:
    assert published("cub200", "resnet18", "cs_kd", "top1_error") == (0.3328, 0.0099, 3, "1", "")
    assert published("cifar100", "preact_resnet18", "cs_kd_e", "ece") == (0.0469, 0.0056, 3, "6", "")
    assert published("cifar100", "preact_resnet18", "cross_entropy", "top5_error") == (0.0691, 0.0009, 3, "6", "")
    imagenet = published("imagenet", "resnet50", "cs_kd", "top1_error")
    assert imagenet is not None
    assert imagenet[:4] == (0.236, None, None, "5")


def test_values_that_the_paper_does_not_print() -> None:
    assert published("cifar100", "preact_resnet18", "cs_kd_e", "top1_error") is None
    assert published("digits", "preact_resnet18", "cs_kd", "top1_error") is None
    assert published("cifar100", "preact_resnet18", "cs_kd", "nll") is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"milestones": (0.5, 0.75)}, None),
        ({"epochs": 20}, "epochs 20 instead of 200"),
        ({"batch_size": 64}, "batch_size 64 instead of 128"),
        ({"lr": 0.05}, "lr 0.05 instead of 0.1"),
        ({"weight_decay": 5e-4}, "weight_decay 0.0005 instead of 0.0001"),
        ({"milestones": [0.3, 0.6]}, "milestones [0.3, 0.6] instead of [0.5, 0.75]"),
        ({"epochs": 20, "lr": 0.05}, "epochs 20 instead of 200; lr 0.05 instead of 0.1"),
    ],
)
def test_another_protocol_is_not_comparable(change: dict[str, Any], reason: str | None) -> None:
    assert comparable(run(**change)) == reason


def test_another_network_or_part_of_the_data_is_not_comparable() -> None:
    small = run()
    small["model"]["width"] = 8
    small["dataset"]["subset"]["classes"] = 10
    small["train_on"] = "train"
    expected = "width 8 instead of 64; part of the data; validation split left out of training"
    assert comparable(small) == expected


def test_options_that_depart_from_the_released_code_are_not_comparable() -> None:
    as_released = run()
    as_released["model"]["shortcut"] = "preact"
    as_released["method"] = {"name": "cs_kd", "partner_may_equal_anchor": True}
    assert comparable(as_released) is None
    other = run()
    other["model"]["shortcut"] = "input"
    other["method"] = {"name": "cs_kd", "partner_may_equal_anchor": False}
    assert comparable(other) == "shortcut input instead of preact; partner_may_equal_anchor false instead of true"


def test_protocols_of_other_data_sets() -> None:
    assert comparable(run("cub200", batch_size=32)) is None
    assert comparable(run("imagenet", batch_size=256, epochs=90, milestones=[1 / 3, 2 / 3])) is None
    assert comparable(run("imagenet", batch_size=256)) == "epochs 200 instead of 90"
    assert comparable(run("image_folder")) == "the paper does not use image_folder"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"expect": {"classes": 50, "train": 1500, "test": 1389}}, "part of the data"),
        ({"expect": None, "crop": 224}, None),
        ({"crop": 64}, "crop 64 instead of 224"),
    ],
)
def test_photographs_of_another_size_or_a_part_of_them_are_not_comparable(options, reason) -> None:
    config = run(batch_size=32)
    config["dataset"] |= {"name": "cub200"} | options
    assert comparable(config) == reason
