from typing import Any

import numpy as np
import pytest

from analysis.records.parameters import Parameter, edges, searched

TEMPERATURE = Parameter("temperature", (), 0.5, 16.0, log=True)


def test_parameters_are_those_of_the_space_in_order(load: Any, content: dict[str, Any]) -> None:
    content["study"]["distributions"] |= {"alpha": {"choices": [0.1, 0.4, 0.2]}, "kind": {"choices": ["a", True]}}
    found = searched(load(content))
    assert [parameter.name for parameter in found] == ["temperature", "lambda_cls", "alpha", "kind"]
    assert found[0] == TEMPERATURE
    assert (found[2].low, found[2].high, found[2].log, found[2].spans) == (0.1, 0.4, False, True)
    assert not found[3].spans


def test_booleans_are_not_numeric() -> None:
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


@pytest.mark.parametrize(
    ("temperature", "end"),
    [(0.0, "lower"), (4.0, None), (14.0, None), (15.8, "upper"), (16.0, "upper"), (0.5, "lower")],
)
def test_edges_are_the_ends_of_ranges(load: Any, content: dict[str, Any], temperature: float, end: str | None) -> None:
    found = edges(load(content), {"temperature": temperature, "lambda_cls": 1.0, "lambda_e": 0.0})
    assert [(edge.parameter.name, edge.end) for edge in found] == ([("temperature", end)] if end else [])


def test_choices_and_zero_are_not_edges() -> None:
    assert searched_one({"choices": [1, 4]}).end(4) is None
    assert searched_one({"low": 0.0, "high": 8.0}).end(0.0) is None
    assert searched_one({"low": 1.0, "high": 7.0, "step": 3.0}).end(1.0) is None  # the next step down is below 0


@pytest.mark.parametrize(
    ("distribution", "lower", "upper"),
    [
        ({"low": 0.5, "high": 16.0, "log": True}, 0.2102, 38.05),
        ({"low": 2.0, "high": 6.0}, 1.0, 7.0),
        ({"low": 0.5, "high": 6.0}, 0.0, 7.375),
        ({"low": 2.0, "high": 8.0, "step": 1.0}, 0.0, 10.0),
    ],
)
def test_a_range_is_extended_by_a_quarter(distribution: dict[str, Any], lower: float, upper: float) -> None:
    parameter = searched_one(distribution)
    assert (parameter.extended("lower"), parameter.extended("upper")) == (lower, upper)


def searched_one(distribution: dict[str, Any]) -> Parameter:
    from analysis.records.parameters import _parameter

    return _parameter("x", distribution)
