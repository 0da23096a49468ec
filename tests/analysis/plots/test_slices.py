from typing import Any

from analysis.drawing.rendering import render
from analysis.drawing.style import styled
from analysis.plots import slices


def test_points_are_the_trials_with_a_value(load: Any, content: dict[str, Any]) -> None:
    results = load(content)
    data = slices.collect(results)
    assert [parameter.name for parameter in data.parameters] == ["temperature", "lambda_cls"]
    trials = results.trials[results.trials["phase"] == "search"].dropna(subset=["validation/top1_error"])
    assert list(data.points["trial"]) == list(trials["trial"])
    assert list(data.points["value"]) == list(trials["validation/top1_error"])
    assert list(data.points["temperature"]) == list(trials["params/temperature"])
    assert data.points.loc[data.points["winner"], "trial"].item() == 7
    assert data.without_value == 1


def test_the_baseline_is_the_controls_own_value(load: Any, content: dict[str, Any]) -> None:
    data = slices.collect(load(content))
    assert data.baseline == 0.2534
    assert "baseline at 25.34 %" in slices.caption(data)


def test_axes_are_logarithmic_where_the_search_was(load: Any, content: dict[str, Any]) -> None:
    content["study"]["distributions"]["lambda_cls"] = {"low": 0.0, "high": 8.0}
    panels = slices.draw(slices.collect(load(content))).to_dict()["concat"]
    kinds = [panel["layer"][-1]["encoding"]["x"]["scale"]["type"] for panel in panels]
    assert kinds == ["log", "linear"]


def test_choices_are_nominal(load: Any, content: dict[str, Any]) -> None:
    content["study"]["distributions"] = {"kind": {"choices": ["b", "a", None]}}
    content["trials"] = [trial | {"params/kind": "ab"[trial["trial"] % 2]} for trial in content["trials"]]
    data = slices.collect(load(content))
    chart = slices.draw(data)
    axis = chart.to_dict()["concat"][0]["layer"][-1]["encoding"]["x"]
    assert (axis["type"], axis["sort"]) == ("nominal", ["b", "a", "None"])
    render(styled(chart))


def test_values_far_apart_are_shown_logarithmically(load: Any, content: dict[str, Any]) -> None:
    assert not slices.collect(load(content)).log
    content["trials"][0]["validation/top1_error"] = 0.95
    data = slices.collect(load(content))
    assert data.log
    assert "(logarithmic scale)" in slices.caption(data)
    render(styled(slices.draw(data)))


def test_without_searched_parameters_there_is_no_figure(load: Any, content: dict[str, Any]) -> None:
    content["study"]["distributions"] = {}
    assert slices.collect(load(content)) is None
