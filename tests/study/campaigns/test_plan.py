"""Tests of the cost against hand calculations, and of the detectable difference against a simulation."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from study.campaigns import plan
from study.cluster import measurement
from study.cluster.share import Share
from study.definition.loading import build, load
from study.definition.template import STARTING_POINT
from trainables.costs.probe import Rate
from trainables.costs.side_by_side import Packing

RATE = Rate(
    device="a device",
    step_seconds=0.5,
    training_seconds=10.0,
    evaluation_seconds=2.0,
    startup_seconds=1.0,
    peak_bytes=3 << 30,
    device_bytes=10 << 30,
    anchors=900,
    validation_images=100,
    measured_anchors=128,
)


def study(**changes):
    return build(STARTING_POINT | {"training": {"epochs": 10}} | changes, "x")


def rates_of(config, slower=1.0):
    """Returns ``RATE`` for cross-entropy, and a rate ``slower`` times slower for the other runs."""
    slow = dataclasses.replace(RATE, training_seconds=10.0 * slower, evaluation_seconds=2.0)
    return {name: RATE if name == "cross_entropy" else slow for name in measurement.runs_to_measure(config)}


def test_the_cost_of_each_phase():
    config = study(
        search={"trials": 7},
        controls=[{"method": "cross_entropy"}],
        confirm={"finalists": 2, "seeds": [1, 2, 3], "train_on": "full"},
    )
    rates = rates_of(config, slower=2)
    assert set(rates) == {"cross_entropy", "cs_kd lambda_e=0"}
    found = plan.plan(config, rates, Share(1.0, 0.0, 4))
    # 10 epochs of 22 s and of 12 s; on the full training set of 1,000 images 10 of 22.2 s and of 11.1 s
    expected = {"search": 7 * 220, "controls": 120, "confirm": 3 * (2 * 10 * 20 / 0.9 + 10 * 10 / 0.9)}
    assert {name: 3600 * found["device_hours"][name] for name in expected} == pytest.approx(expected)
    assert found["wall_hours"] == pytest.approx(sum(expected.values()) / 4 / 3600)
    assert found["trials_per_device"] == 3
    json.dumps(found)
    texts = plan.entries(found)
    assert texts["rate"].startswith(
        "a device: 500 ms per step, 22 s per epoch including 2 s of evaluation; 3 GiB per trial, so 3 fit in memory"
    )
    assert texts["cost"].startswith("search 26 min, controls 2 min, confirm 28 min: 55 min on one device; about 14 min")


def test_trials_that_share_a_device_are_slower_each_and_faster_together():
    config = study(search={"trials": 7})
    alone = plan.plan(config, rates_of(config), Share(1.0, 1.0, 1))
    packing = Packing("a device", (2.0, 3.0, 3.9), device_bytes=3 << 30, host_bytes=2 << 30)
    shared = plan.plan(config, rates_of(config), Share(1.0, 1 / 3, 3), {"GPU": packing})
    assert shared["device_hours"]["total"] == pytest.approx(alone["device_hours"]["total"] / (3.9 / 2.0))
    assert shared["wall_hours"] == pytest.approx(alone["wall_hours"] / (3.9 / 2.0))
    json.dumps(shared)
    expected = (
        "GPU: 1, 2, 3 trials at once have 1.00, 1.50, 1.95 times the throughput of one; 3 share one; each takes 2 GiB"
    )
    assert plan.entries(shared)["packing"] == expected


def test_a_budget_that_is_too_small_gives_a_warning():
    config = study(search={"trials": 7, "budget": {"device_hours": 0.5, "hours": 5}})
    found = plan.plan(config, rates_of(config), Share(1.0, 0.0, 1))
    (warning,) = (text for text in found["warnings"] if "budget" in text)
    needed = found["device_hours"]["total"]
    assert 0.5 < needed == found["wall_hours"] < 5
    assert warning == (
        f"search.budget.device_hours is 0.5, but the study needs about {needed:.2g}; "
        "the search will end before 7 trials"
    )
    assert "at most 5 h and 0.5 device-hours, of which 30 % for the confirmation" in plan.entries(found)["search"]


@pytest.mark.parametrize("pairs", [3, 5])
def test_four_of_five_simulated_studies_detect_the_smallest_difference(pairs):
    smallest = plan.smallest_difference(pairs, 2.0)
    differences = np.random.default_rng(0).normal(smallest, 2.0, (20_000, pairs))
    shown = stats.ttest_1samp(differences, 0.0, axis=1).pvalue < 0.05
    assert shown.mean() == pytest.approx(0.8, abs=0.01)


def test_one_seed_detects_nothing_and_more_seeds_detect_smaller_differences():
    assert plan.smallest_difference(1, 1.0) is None
    found = [plan.smallest_difference(pairs, 1.0) for pairs in (2, 3, 5, 20)]
    assert found == sorted(found, reverse=True)


def test_the_seed_spread_is_from_the_same_row_of_the_paper_or_the_median():
    found = plan.detectable(load("cifar100-preact_resnet18-cs_kd"))
    assert (found["seed_spread"], found["source"]) == (0.0013, "the paper's table 1")
    assert found["difference"] == pytest.approx(plan.smallest_difference(3, 2**0.5 * 0.0013))
    other = plan.detectable(load("digits"))
    assert other["source"] == "the median of the paper's spreads"
    assert 0.0005 < other["seed_spread"] < 0.01
    assert found["departure"] is None
    assert other["departure"] == "the paper does not use digits"


def test_a_study_that_departs_from_the_protocol_may_spread_more():
    smoke, paper = (
        plan.plan(load(name), {}, Share(1.0, 0.0, 1)) for name in ("cifar100-smoke", "cifar100-preact_resnet18-cs_kd")
    )
    assert "yours may spread more" in plan.entries(smoke)["detects"]
    assert "yours may spread more" not in plan.entries(paper)["detects"]


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"confirm": {"seeds": [1]}}, "one confirmation seed"),
        (
            {
                "search": {
                    "sampler": {"name": "tpe"},
                    "scheduler": {"name": "asha", "grace": 0.3, "before_decay": True},
                }
            },
            "before the learning rate falls",
        ),
        ({"search": {"trials": 101, "sampler": {"name": "gp"}}}, "gp is slow"),
        ({"search": {"trials": 4}}, "too few for 2 parameters"),
        ({"controls": []}, "no control"),
    ],
)
def test_warnings(changes, warning):
    assert any(warning in found for found in plan.warnings(study(**changes)))


def test_a_sound_study_has_no_warnings():
    assert plan.warnings(load("digits")) == []


@pytest.mark.slow
def test_plan_measures_this_machine_and_prints_it():
    from study.cli import app

    found = CliRunner().invoke(app, ["plan", "digits", "--json"])
    assert found.exit_code == 0, found.output
    planned = json.loads(found.output)
    assert planned["rate"]["step_seconds"] > 0
    assert planned["device_hours"]["total"] == pytest.approx(
        sum(planned["device_hours"][phase] for phase in ("search", "controls", "confirm"))
    )


def test_no_probe_measures_nothing():
    from study.cli import app

    found = CliRunner().invoke(app, ["plan", "cifar100-preact_resnet18-cs_kd", "--no-probe"])
    assert found.exit_code == 0, found.output
    assert "rate: " not in found.output
    assert "a difference of 0." in found.output
