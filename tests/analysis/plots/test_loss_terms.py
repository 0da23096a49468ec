"""Tests the loss terms: quartiles over the search, the winner's curve, and thinning."""

import numpy as np
import pytest

from analysis.plots import loss_terms


def test_quartiles_over_the_search_trials(load, searched) -> None:
    data = loss_terms.collect(load(searched))
    assert data.terms == ("ce", "cls")
    assert data.trials == 42
    row = data.curves[(data.curves["kind"] == "all search trials") & (data.curves["term"] == "cls")].iloc[0]
    expected = np.quantile(0.1 * np.arange(42), [0.25, 0.5, 0.75])
    assert [row["low"], row["value"], row["high"]] == pytest.approx(expected)


def test_the_winners_curve_is_its_own(load, searched) -> None:
    data = loss_terms.collect(load(searched))
    mine = data.curves[(data.curves["kind"] == "winner") & (data.curves["term"] == "ce")]
    assert mine["run"].unique().tolist() == ["search/7"]
    assert mine["value"].tolist() == pytest.approx([4.0 / epoch for epoch in range(1, 21)])


def test_many_epochs_are_thinned_but_keep_both_ends(load, searched, monkeypatch) -> None:
    monkeypatch.setattr(loss_terms, "MOST_POINTS", 30)
    data = loss_terms.collect(load(searched))
    assert len(data.curves) <= 30 + 8
    assert {1, 20} <= set(data.curves["epoch"])


def test_without_terms_there_is_no_figure(load, searched) -> None:
    rows = [{k: v for k, v in row.items() if not k.startswith("train/")} for row in searched["epochs"]]
    assert loss_terms.collect(load(searched | {"epochs": rows})) is None
