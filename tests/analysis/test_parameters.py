from typing import Any

import numpy as np
import pytest

from analysis.parameters import Parameter, searched

TEMPERATURE = Parameter("temperature", (), 0.5, 16.0, log=True)


def test_they_are_those_of_the_space_in_its_order(load: Any, content: dict[str, Any]) -> None:
    content["study"]["distributions"] |= {"alpha": {"choices": [0.1, 0.4, 0.2]}, "kind": {"choices": ["a", True]}}
    found = searched(load(content))
    assert [parameter.name for parameter in found] == ["temperature", "lambda_cls", "alpha", "kind"]
    assert found[0] == TEMPERATURE
    assert (found[2].low, found[2].high, found[2].log, found[2].spans) == (0.1, 0.4, False, True)
    assert not found[3].spans


def test_truth_values_are_no_numbers() -> None:
    assert not searched_one({"choices": [True, False]}).spans


def test_a_single_value_spans_nothing() -> None:
    assert not searched_one({"low": 2.0, "high": 2.0}).spans


@pytest.mark.parametrize("parameter", [TEMPERATURE, Parameter("alpha", (), 0.0, 8.0, log=False)])
def test_unit_and_back(parameter: Parameter) -> None:
    units = np.linspace(0, 1, 7)
    np.testing.assert_allclose(parameter.unit(parameter.at(units)), units, atol=1e-12)
    np.testing.assert_allclose(parameter.at([0, 1]), [parameter.low, parameter.high])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 8.0, [0.125, 0.25, 0.5, 1, 2, 4, 8]),
        (0.02, 0.3, [0.02, 0.05, 0.1, 0.2]),
        (1e-6, 1.0, None),
        (1.1, 1.9, None),
    ],
)
def test_ticks_of_logarithmic_axes(low: float, high: float, expected: list[float] | None) -> None:
    assert Parameter("x", (), low, high, log=True).ticks() == expected


def test_ticks_of_choices_and_of_few_steps_are_their_values() -> None:
    assert searched_one({"choices": [1, 4]}).ticks() == [1.0, 4.0]
    assert searched_one({"low": 1.0, "high": 4.0, "step": 1.5}).ticks() == [1.0, 2.5, 4.0]
    assert searched_one({"low": 0.0, "high": 1.0, "step": 0.01}).ticks() is None


@pytest.mark.parametrize(
    ("name", "label"), [("lambda_cls", "λ_cls"), ("training.batch_size", "B, images"), ("training.epochs", "epochs")]
)
def test_labels_carry_units(name: str, label: str) -> None:
    assert Parameter(name, (), 1, 2, log=False).label == label


def searched_one(words: dict[str, Any]) -> Parameter:
    from analysis.parameters import _parameter

    return _parameter("x", words)
