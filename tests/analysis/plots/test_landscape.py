from typing import Any

import numpy as np
import pytest

from analysis.drawing.rendering import render
from analysis.drawing.style import styled
from analysis.plots import landscape

BEST = (4.0, 1.0)


def bowl(temperature: float, weight: float) -> float:
    return 0.22 + 0.004 * (np.log2(temperature / BEST[0]) ** 2 + np.log2(weight / BEST[1]) ** 2)


@pytest.fixture
def searched(unconfirmed: dict[str, Any]) -> dict[str, Any]:
    """Returns thirty completed trials on a bowl, and a pruned, a failed and a running one."""
    random, template = np.random.default_rng(0), unconfirmed["trials"][0]
    trials = []
    for number in range(33):
        temperature, weight = 2 ** random.uniform(-1, 4), 2 ** random.uniform(-3.3, 3)
        value = bowl(temperature, weight)
        point = {"params/temperature": temperature, "params/lambda_cls": weight, "validation/top1_error": value}
        trials.append(template | {"trial": number, **point})
    for trial, state, value in ((30, "PRUNED", 0.5), (31, "FAIL", None), (32, "RUNNING", None)):
        trials[trial] |= {"state": state, "validation/top1_error": value}
    return unconfirmed | {"trials": trials}


def test_the_surface_is_lowest_where_the_objective_is(load: Any, searched: dict[str, Any]) -> None:
    data = landscape.collect(load(searched))
    assert (data.x.name, data.y.name) == ("temperature", "lambda_cls")
    assert len(data.surface) == landscape.CELLS**2
    lowest = data.surface.loc[data.surface["mean"].idxmin()]
    assert abs(np.log2(lowest["x"] / BEST[0])) < 0.5
    assert abs(np.log2(lowest["y"] / BEST[1])) < 0.5
    centres = data.surface[["x", "y"]].to_numpy()
    inside = (centres[:, 0] > 0.7) & (centres[:, 0] < 12) & (centres[:, 1] > 0.2) & (centres[:, 1] < 5)
    cells = landscape.CELLS
    at = [
        (data.x.at([(i + 0.5) / cells])[0], data.y.at([(j + 0.5) / cells])[0])
        for i in range(cells)
        for j in range(cells)
    ]
    expected = np.array([bowl(*point) for point in at])
    assert np.abs(data.surface["mean"] - expected)[inside].max() < 0.004


def test_cells_tile_the_space(load: Any, searched: dict[str, Any]) -> None:
    data = landscape.collect(load(searched))
    assert data.surface["x"].min() == pytest.approx(0.5)
    assert data.surface["x2"].max() == pytest.approx(16)
    assert data.surface["y"].min() == pytest.approx(0.1)
    assert data.surface["y2"].max() == pytest.approx(8)
    assert (data.surface["x2"] > data.surface["x"]).all()


def test_every_trial_is_a_point_and_the_best_is_the_winner(load: Any, searched: dict[str, Any]) -> None:
    data = landscape.collect(load(searched))
    assert len(data.points) == 33
    assert list(data.points["state"].value_counts()[["COMPLETE", "PRUNED", "FAIL", "RUNNING"]]) == [30, 1, 1, 1]
    done = data.points[data.points["state"] == "COMPLETE"]
    assert data.points.loc[data.points["winner"], "trial"].item() == done.loc[done["value"].idxmin(), "trial"]
    assert "30 completed, 1 pruned, 1 failed, 1 running" in landscape.caption(data)
    render(styled(landscape.draw(data)))


def test_seven_completed_trials_are_too_few_for_a_surface(load: Any, content: dict[str, Any]) -> None:
    data = landscape.collect(load(content))
    assert (data.surface, data.noise) == (None, None)
    assert "Fewer than 8" in landscape.caption(data)
    assert data.points.loc[data.points["winner"], "trial"].item() == 7


def test_one_numeric_parameter_has_no_map(load: Any, content: dict[str, Any]) -> None:
    content["study"]["distributions"]["lambda_cls"] = {"choices": ["low", "high"]}
    assert landscape.collect(load(content)) is None


def test_temperature_and_weight_come_before_other_parameters(load: Any, searched: dict[str, Any]) -> None:
    space = searched["study"]["distributions"]
    rate = {"low": 0.01, "high": 0.3, "log": True}
    searched["study"]["distributions"] = {"training.lr": rate, "lambda_cls": space["lambda_cls"]}
    data = landscape.collect(load(searched))
    assert (data.x.name, data.y.name, data.others) == ("lambda_cls", "training.lr", ())
    searched["study"]["distributions"] = {"training.lr": rate, **space}
    data = landscape.collect(load(searched))
    assert (data.x.name, data.y.name, data.others) == ("temperature", "lambda_cls", ("η",))
    assert "Other parameters varied too and count as noise: η." in landscape.caption(data)


def test_without_a_completed_trial_the_others_are_drawn(load: Any, unconfirmed: dict[str, Any]) -> None:
    for trial in unconfirmed["trials"]:
        trial |= {"state": "FAIL", "validation/top1_error": None}
    data = landscape.collect(load(unconfirmed))
    assert not data.points["winner"].any()
    assert "winner" not in landscape.caption(data)
    render(styled(landscape.draw(data)))
