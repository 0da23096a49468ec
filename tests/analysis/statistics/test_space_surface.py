"""Tests averages of a surface against the function behind the trials."""

import numpy as np
import pytest

from analysis.statistics import space_surface


def test_the_average_of_two_axes_against_the_function(load, searched) -> None:
    found = space_surface.collect(load(searched))
    assert [axis.name for axis in found.axes] == ["temperature", "lambda_cls", "lambda_e"]
    assert found.trials == 40
    grid = found.pair(0, 1, 8)
    assert grid.shape == (8, 8)
    assert np.unravel_index(grid.argmax(), grid.shape) == (0, 0)  # small T and small weight: no regularisation


def test_the_interval_is_that_of_the_average_not_of_a_trial(load, searched) -> None:
    curve = space_surface.collect(load(searched)).marginal(2, 9)
    assert ((curve["high"] - curve["low"]) > 0).all()
    assert (curve["high"] - curve["low"]).median() < 0.004


def test_non_numeric_parameters_are_ignored(load, searched) -> None:
    searched["study"]["distributions"]["kind"] = {"choices": ["a", "b"]}
    searched["trials"] = [trial | {"params/kind": "a"} for trial in searched["trials"]]
    assert len(space_surface.collect(load(searched)).axes) == 3


@pytest.mark.parametrize("trials", [0, 7])
def test_with_too_few_trials_there_is_no_surface(load, searched, trials) -> None:
    assert space_surface.collect(load(searched | {"trials": searched["trials"][:trials]})) is None
