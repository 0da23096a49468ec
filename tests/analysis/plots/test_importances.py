"""Tests the importances, which are shares, and the caption."""

import pytest

from analysis.plots import importances
from analysis.statistics import importance


@pytest.fixture
def shares(load, searched):
    """Returns the shares of each evaluator, by parameter."""
    found = importance.importances(load(searched))
    return {name: dict(zip(g["parameter"], g["importance"], strict=True)) for name, g in found.groupby("evaluator")}


def test_shares_add_up_and_the_most_important_parameter_is_found(shares) -> None:
    assert set(shares) == {"PED-ANOVA", "fANOVA"}
    for found in shares.values():
        assert sum(found.values()) == pytest.approx(1)
        assert max(found, key=found.get) == "lambda_cls"
        assert set(found) == {"temperature", "lambda_cls", "lambda_e"}


def test_the_same_results_give_the_same_numbers(load, searched, shares) -> None:
    again = importance.importances(load(searched))
    assert again["importance"].tolist() == [shares[row.evaluator][row.parameter] for row in again.itertuples()]


def test_choices_and_missing_values(load, searched) -> None:
    searched["study"]["distributions"] = {"temperature": {"low": 0.5, "high": 16.0}, "kind": {"choices": ["a", "b"]}}
    for number, trial in enumerate(searched["trials"]):
        trial["params/kind"] = None if number == 5 else "ab"[number % 2]
        trial["validation/top1_error"] = 0.3 if number % 2 else 0.2 + 0.001 * number
    found = importance.importances(load(searched))
    fanova = found[found["evaluator"] == "fANOVA"].set_index("parameter")["importance"]
    assert fanova["kind"] > 0.9


@pytest.mark.parametrize("change", ["one parameter", "few trials", "equal values"])
def test_without_enough_data_there_is_no_figure(load, searched, change) -> None:
    if change == "one parameter":
        searched["study"]["distributions"] = {"temperature": {"low": 0.5, "high": 16.0}}
    elif change == "few trials":
        searched["trials"] = searched["trials"][:7]
    else:
        searched["trials"] = [trial | {"validation/top1_error": 0.25} for trial in searched["trials"]]
    assert importances.collect(load(searched)) is None


def test_the_caption_names_both_measures_with_their_numbers(load, searched) -> None:
    data = importances.collect(load(searched))
    caption = importances.caption(data)
    for row in data.shares.itertuples():
        assert f"{row.parameter} {100 * row.importance:.0f} %" in caption
    assert "PED-ANOVA" in caption
    assert "fANOVA" in caption
