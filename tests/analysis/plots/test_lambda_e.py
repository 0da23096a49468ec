"""Tests the sweep of λ_E, with the controls at 0."""

import pytest

from analysis.plots import lambda_e


def test_trials_and_controls_are_sorted_by_weight(load, searched) -> None:
    searched["trials"].append(searched["trials"][0] | {"phase": "controls", "trial": 2, "params/lambda_e": 0.0})
    data = lambda_e.collect(load(searched))
    assert data.metrics == ("validation/top1_error", "validation/ece", "validation/nll")
    assert data.points["lambda_e"].is_monotonic_increasing
    assert data.points.iloc[0][["run", "lambda_e", "kind"]].tolist() == ["controls/2", 0.0, "control"]
    assert (data.points["kind"] == "search").sum() == 40


def test_the_caption_names_the_best_of_each_metric(load, searched) -> None:
    largest = max(searched["trials"][:40], key=lambda trial: trial["params/lambda_e"])
    caption = lambda_e.caption(lambda_e.collect(load(searched)))
    assert f"validation ECE lowest at λ_E = {largest['params/lambda_e']:.3g} (search/{largest['trial']})" in caption


@pytest.mark.parametrize("values", [None, 1.0])
def test_without_two_values_there_is_no_figure(load, searched, values) -> None:
    searched["trials"] = [trial | {"params/lambda_e": values} for trial in searched["trials"]]
    assert lambda_e.collect(load(searched)) is None
