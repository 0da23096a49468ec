"""Tests the histograms over images that all methods misclassify, against counts by hand."""

import numpy as np
import pytest

from analysis.plots import log_probabilities
from trainables.metrics.probabilities import log_softmax


@pytest.fixture
def runs(content, with_predictions):
    """Returns the predictions of the first common seed, by label."""
    names = {"Cross-entropy": "controls/0", "CS-KD": "search/7", "CS-KD-E": "controls/1"}
    trials = {(run["arm"], run["seed"]): run["trial"] for run in content["confirmations"]}
    return {label: with_predictions[trials[arm, 11]] for label, arm in names.items()}


def test_images_are_those_that_all_methods_misclassify(load, content, runs) -> None:
    data = log_probabilities.collect(load(content))
    wrong = np.all([logits.argmax(1) != labels for logits, labels in runs.values()], axis=0)
    assert (data.images, data.total, data.seed) == (wrong.sum(), 200, 11)
    assert data.images > 0
    for label, (logits, labels) in runs.items():
        log_p = log_softmax(logits[wrong])
        assert data.medians[label, "predicted"] == pytest.approx(np.median(log_p.max(1)))
        assert data.medians[label, "true"] == pytest.approx(np.median(log_p[np.arange(len(log_p)), labels[wrong]]))


def test_every_image_is_in_one_bin_and_bins_are_common(load, content, runs) -> None:
    data = log_probabilities.collect(load(content))
    for (_, _), group in data.bins.groupby(["label", "quantity"]):
        assert group["count"].sum() == data.images
        assert group["share"].sum() == pytest.approx(1)
        assert group["high"].max() == 0
    for _, group in data.bins.groupby("quantity"):
        assert len(group["low"].unique()) == min(max(data.images // 5, 8), 40)


def test_without_a_second_method_there_is_no_figure(load, content, with_predictions) -> None:
    content["confirmations"] = [run for run in content["confirmations"] if run["arm"] == "search/7"]
    assert log_probabilities.collect(load(content)) is None


def test_without_predictions_there_is_no_figure(load, content) -> None:
    assert log_probabilities.collect(load(content)) is None
