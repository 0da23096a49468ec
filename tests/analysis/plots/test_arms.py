from typing import Any

import pytest

from analysis.drawing.rendering import render
from analysis.drawing.style import method_colour, styled
from analysis.findings import best_config
from analysis.plots import arms


def test_numbers_are_those_of_the_best_config_table(load: Any, content: dict[str, Any]) -> None:
    results = load(content)
    data, best = arms.collect(results), best_config.collect(results)
    assert list(data.means["arm"]) == [f"{arm.name} ({arm.method})" for arm in best.arms]
    for row, arm in zip(data.means.to_dict("records"), best.arms, strict=True):
        assert (row["mean"], row["n"]) == (arm.test.mean, arm.test.n)
        assert (row["low"], row["high"]) == tuple(arm.interval)
        seeds = data.seeds[data.seeds["arm"] == row["arm"]]
        assert list(seeds["seed"]) == [11, 12, 13]
        assert seeds["value"].mean() == pytest.approx(arm.test.mean)


def test_an_arm_has_the_colour_of_its_method(load: Any, content: dict[str, Any]) -> None:
    scale = arms.draw(arms.collect(load(content))).to_dict()["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == ["cs_kd", "cross_entropy", "cs_kd_e"]
    assert scale["range"] == [method_colour(method) for method in scale["domain"]]


def test_only_comparable_arms_show_the_papers_value(load: Any, content: dict[str, Any]) -> None:
    assert dict(arms.collect(load(content)).paper.to_numpy())["search/7 (cs_kd)"] == 0.2199
    for arm in content["study"]["arms"].values():
        arm["config"]["training"]["lr"] = 0.05
    assert arms.collect(load(content)).paper.empty


def test_a_single_seed_has_no_interval(load: Any, content: dict[str, Any]) -> None:
    content["confirmations"] = [run for run in content["confirmations"] if run["seed"] == 11]
    data = arms.collect(load(content))
    assert data.means["low"].isna().all()
    render(styled(arms.draw(data)))


def test_the_axis_ends_at_possible_errors(load: Any, content: dict[str, Any]) -> None:
    content["confirmations"] = [run for run in content["confirmations"] if run["seed"] != 13]
    content["confirmations"][0]["test/top1_error"] = 0.9
    data = arms.collect(load(content))
    assert data.means["low"].min() < 0
    assert data.means["high"].max() > 1
    chart = arms.draw(data)
    assert chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 100]
    render(styled(chart))


def test_before_the_confirmation_there_is_no_figure(load: Any, unconfirmed: dict[str, Any]) -> None:
    assert arms.collect(load(unconfirmed)) is None
