from typing import Any

import pytest

from analysis.drawing.rendering import render
from analysis.drawing.style import styled
from analysis.plots import learning_curves


def test_curves_are_the_epochs_in_order(load: Any, content: dict[str, Any]) -> None:
    results = load(content)
    data = learning_curves.collect(results)
    assert data.every == 1
    for trial in range(8):
        curve = data.curves[data.curves["run"] == f"search/{trial}"]
        written = results.epochs[results.epochs["trial"] == trial].sort_values("epoch")
        assert list(curve["epoch"]) == list(range(1, 21))
        assert list(curve["value"]) == list(written["validation/top1_error"])


def test_runs_are_marked_by_kind(load: Any, content: dict[str, Any]) -> None:
    content["epochs"] += [
        row | {"phase": phase} for row in content["epochs"] if row["trial"] < 2 for phase in ("controls",)
    ]
    data = learning_curves.collect(load(content))
    kinds = dict(zip(data.curves["run"], data.curves["kind"], strict=True))
    assert kinds["search/7"] == "winner"
    assert kinds["controls/0"] == "baseline"
    assert kinds["controls/1"] == "control"
    assert kinds["search/0"] == "search"
    assert "Winner: search/7; baseline: controls/0." in learning_curves.caption(data)
    render(styled(learning_curves.draw(data)))


def test_pruned_trials_end_early_and_are_counted(load: Any, content: dict[str, Any]) -> None:
    content["epochs"] = [row for row in content["epochs"] if row["trial"] != 5 or row["epoch"] <= 6]
    data = learning_curves.collect(load(content))
    assert data.curves.loc[data.curves["run"] == "search/5", "epoch"].max() == 6
    assert set(data.curves.loc[data.curves["run"] == "search/5", "state"]) == {"pruned"}
    assert "1 pruned trial, stopped early" in learning_curves.caption(data)


def test_confirmation_runs_are_omitted(load: Any, content: dict[str, Any]) -> None:
    content["epochs"] += [content["epochs"][0] | {"phase": "confirm", "trial": 99}]
    assert not learning_curves.collect(load(content)).curves["run"].str.startswith("confirm").any()


def test_many_epochs_are_thinned_to_first_last_and_every_nth(
    load: Any, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning_curves, "MOST_POINTS", 60)
    data = learning_curves.collect(load(content))
    assert data.every == 3
    assert list(data.curves.loc[data.curves["run"] == "search/0", "epoch"]) == [1, 3, 6, 9, 12, 15, 18, 20]
    assert "One epoch in 3" in learning_curves.caption(data)


def test_of_many_trials_some_and_the_winner_are_drawn(
    load: Any, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning_curves, "MOST_TRIALS", 3)
    data = learning_curves.collect(load(content))
    assert set(data.curves["run"]) == {"search/0", "search/3", "search/6", "search/7"}
    assert "4 of 8 runs are drawn." in learning_curves.caption(data)


@pytest.mark.parametrize(("value", "log"), [(0.25, True), (0.0, False)])
def test_the_axis_is_logarithmic_unless_a_value_is_zero(
    load: Any, content: dict[str, Any], value: float, log: bool
) -> None:
    content["epochs"][0] |= {"validation/top1_error": value}
    data = learning_curves.collect(load(content))
    assert data.log == log
    render(styled(learning_curves.draw(data)))


def test_without_epochs_there_is_no_figure(load: Any, content: dict[str, Any]) -> None:
    assert learning_curves.collect(load(content | {"epochs": []})) is None
