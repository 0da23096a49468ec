"""Tests the confusion of groups against its definition, averaged over the runs."""

import numpy as np
import pytest

from analysis.plots import confusion

GROUPS = ("bird",) * 5 + ("dog",) * 3 + ("indoor",) * 2


@pytest.fixture
def grouped(content, predictions_of, tmp_path):
    """Writes predictions whose ten classes have groups."""
    return predictions_of(tmp_path, content, GROUPS)


def test_shares_and_errors_by_hand(load, content, grouped) -> None:
    data = confusion.collect(load(content))
    trials = [run["trial"] for run in content["confirmations"] if run["arm"] == "search/7"]
    of_class, expected, errors = np.array(GROUPS), [], []
    for logits, labels in (grouped[trial] for trial in trials):
        predicted = logits.argmax(1)
        dogs = of_class[labels] == "dog"
        expected.append(np.mean(of_class[predicted[dogs]] == "bird"))
        errors.append(np.mean(predicted[dogs] != labels[dogs]))
    mine = data.cells[data.cells["label"] == "CS-KD"].set_index(["true", "predicted"])["share"]
    assert mine["dog", "bird"] == pytest.approx(np.mean(expected))
    assert mine.groupby("true").sum().tolist() == pytest.approx([1, 1, 1])
    row = data.errors[(data.errors["label"] == "CS-KD") & (data.errors["group"] == "dog")].iloc[0]
    assert (row["mean"], row["std"], row["n"]) == pytest.approx((np.mean(errors), np.std(errors, ddof=1), 3))
    assert data.groups == ("bird", "dog", "indoor")


def test_classes_without_groups_have_no_figure(load, content, with_predictions) -> None:
    assert confusion.collect(load(content)) is None
