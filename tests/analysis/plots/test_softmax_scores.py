"""Tests the selected images and their largest scores."""

import numpy as np
import pytest

from analysis.plots import softmax_scores
from trainables.metrics.probabilities import log_softmax


def test_scores_are_the_five_largest_softmax_values(load, content, with_predictions) -> None:
    data = softmax_scores.collect(load(content))
    trial = next(run["trial"] for run in content["confirmations"] if (run["arm"], run["seed"]) == ("search/7", 11))
    logits, labels = with_predictions[trial]
    for image, bars in data.bars[data.bars["label"] == "CS-KD"].groupby("image"):
        scores = np.exp(log_softmax(logits[[image]]))[0]
        assert bars["score"].tolist() == pytest.approx(sorted(scores, reverse=True)[:5])
        assert bars["name"].tolist() == [str(each) for each in np.argsort(-scores)[:5]]
        assert (bars["true_class"] == str(labels[image])).all()
        assert bars["is_true"].tolist() == [name == str(labels[image]) for name in bars["name"]]


def test_the_images_are_confident_common_mistakes_of_different_classes(load, content, with_predictions) -> None:
    data = softmax_scores.collect(load(content))
    first = data.bars[data.bars["place"] == 1]
    assert not first["is_true"].any()
    chosen = first[first["label"] == data.chosen_by]
    assert data.chosen_by == "Cross-entropy"
    assert chosen["score"].is_monotonic_decreasing
    assert chosen["true_class"].is_unique
    assert len(chosen) == min(softmax_scores.IMAGES, data.images)


def test_without_predictions_there_is_no_figure(load, content) -> None:
    assert softmax_scores.collect(load(content)) is None
