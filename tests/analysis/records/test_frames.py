from typing import Any

import pytest

from analysis.records import frames


def test_trials_are_ranked_by_error_then_nll_then_number(load: Any, content: dict[str, Any]) -> None:
    content["trials"][6] |= {"validation/top1_error": 0.2295, "validation/nll": 0.91}
    ranked = frames.ranked_trials(load(content))
    assert ranked["trial"].tolist() == [6, 7, 4, 2, 3, 1, 0]
    assert ranked["rank"].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_a_tied_trial_without_nll_comes_last(load: Any, content: dict[str, Any]) -> None:
    content["trials"][7]["validation/nll"] = None
    assert frames.ranked_trials(load(content))["trial"].tolist()[:2] == [4, 7]


def test_a_metric_to_maximize_ranks_the_other_way(load: Any, content: dict[str, Any]) -> None:
    content["study"]["objectives"] = ["validation/recall_at_1", "validation/nll"]
    for number, recall in enumerate([0.5, 0.9, 0.7, 0.6, 0.8, None, 0.1, 0.2]):
        content["trials"][number]["validation/recall_at_1"] = recall
    assert frames.ranked_trials(load(content))["trial"].tolist() == [1, 4, 2, 3, 0, 7, 6]


def test_ranks_without_trials(load: Any, content: dict[str, Any]) -> None:
    assert frames.ranked_trials(load(content | {"trials": []})).empty


def test_learning_curves_are_in_order(load: Any, content: dict[str, Any]) -> None:
    content["epochs"][0]["validation/top1_error"] = None
    curves = frames.learning_curves(load(content), "validation/top1_error")
    assert list(curves) == ["phase", "trial", "epoch", "value"]
    assert curves.loc[curves["trial"] == 0, "epoch"].tolist() == list(range(1, 20))
    assert curves.loc[curves["trial"] == 1, "epoch"].tolist() == list(range(1, 21))
    assert frames.learning_curves(load(content), "validation/ece").empty


def test_confirmations_hold_completed_runs_only(load: Any, content: dict[str, Any]) -> None:
    content["confirmations"][1] |= {"state": "FAIL"}
    values = frames.values_by_seed(load(content), "test/top1_error")
    assert list(values["search/7"]) == [11, 13]
    assert values["search/7"][11] == pytest.approx(content["confirmations"][0]["test/top1_error"], abs=0)
    assert frames.confirmations(load(content), "test/ece").empty
