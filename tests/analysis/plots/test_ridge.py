"""Tests that λ_cls · min(T, 4) explains more than its factors."""

import pytest

from analysis.plots import ridge


def test_the_ridge_is_the_product_up_to_the_saturation(load, searched) -> None:
    data = ridge.collect(load(searched))
    assert len(data.points) == 40
    for row in data.points.itertuples():
        assert row.ridge == pytest.approx(row.lambda_cls * min(row.temperature, 4))


def test_it_explains_more_than_either_parameter(load, searched) -> None:
    explained = ridge.collect(load(searched)).explained
    assert explained["ridge"] > 0.95
    assert explained["ridge"] > explained["lambda_cls"] > explained["temperature"]
    assert all(0 <= share <= 1 for share in explained.values())


def test_equal_values_have_nothing_to_explain(load, searched) -> None:
    searched["trials"] = [trial | {"validation/top1_error": 0.25} for trial in searched["trials"]]
    assert set(ridge.collect(load(searched)).explained.values()) == {0.0}


@pytest.mark.parametrize("missing", ["temperature", "lambda_cls"])
def test_without_both_parameters_there_is_no_figure(load, searched, missing) -> None:
    del searched["study"]["distributions"][missing]
    assert ridge.collect(load(searched)) is None
