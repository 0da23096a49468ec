"""Tests the positions of trials on each axis."""

import numpy as np
import pytest

from analysis.plots import parallel


def test_places_are_those_of_the_search(load, searched) -> None:
    data = parallel.collect(load(searched))
    assert len(data.places) == 3 * 40
    assert data.places["place"].between(0, 1).all()
    row = data.places[(data.places["axis"] == "T") & (data.places["trial"] == 5)].iloc[0]
    temperature = searched["trials"][5]["params/temperature"]
    assert row["place"] == pytest.approx(np.log2(temperature / 0.5) / 5)
    assert row["value"] == searched["trials"][5]["validation/top1_error"]
    best = min(searched["trials"][:40], key=lambda trial: trial["validation/top1_error"])
    assert data.places.loc[data.places["winner"], "trial"].unique().tolist() == [best["trial"]]


def test_choices_are_in_their_order(load, searched) -> None:
    searched["study"]["distributions"]["kind"] = {"choices": ["a", None, "c"]}
    searched["trials"] = [trial | {"params/kind": "c"} for trial in searched["trials"]]
    places = parallel.collect(load(searched)).places
    assert set(places.loc[places["axis"] == "kind", "place"]) == {1.0}


def test_of_many_trials_the_best_and_others_are_drawn(load, searched, monkeypatch) -> None:
    monkeypatch.setattr(parallel, "MOST_TRIALS", 10)
    data = parallel.collect(load(searched))
    assert data.places["trial"].nunique() == 10
    assert data.places["winner"].any()
    assert "of which the best and every 4th by rank are drawn" in parallel.caption(data)


def test_one_parameter_has_no_figure(load, searched) -> None:
    searched["study"]["distributions"] = {"temperature": {"low": 0.5, "high": 16.0, "log": True}}
    assert parallel.collect(load(searched)) is None
