"""Tests Spearman's correlation of every epoch with the last against SciPy."""

import pytest
from scipy import stats

from analysis.plots import rank_correlation


def test_correlations_are_spearmans(load, searched) -> None:
    data = rank_correlation.collect(load(searched))
    by_epoch = {}
    for row in searched["epochs"]:
        if row["trial"] < 40:
            by_epoch.setdefault(row["epoch"], {})[row["trial"]] = row["validation/top1_error"]
    last = by_epoch[20]
    for epoch in (1, 7, 10):
        expected = stats.spearmanr([by_epoch[epoch][n] for n in range(40)], [last[n] for n in range(40)]).statistic
        found = data.curve.set_index("epoch").loc[epoch]
        assert found["correlation"] == pytest.approx(expected)
        assert found["low"] < expected < found["high"]
    assert (data.trials, data.drops) == (40, (10, 15))


def test_the_correlation_is_high_after_the_noise_ends(load, searched) -> None:
    data = rank_correlation.collect(load(searched))
    assert (data.curve.loc[data.curve["epoch"] > 10, "correlation"] > 0.999).all()
    assert "From epoch 11 of 20 on it stays at 0.9 or above" in rank_correlation.caption(data)


def test_trials_that_ended_early_are_omitted(load, searched) -> None:
    searched["epochs"] = [row for row in searched["epochs"] if row["trial"] != 3 or row["epoch"] < 9]
    assert rank_correlation.collect(load(searched)).trials == 39


def test_with_too_few_trials_there_is_no_figure(load, searched) -> None:
    searched["epochs"] = [row for row in searched["epochs"] if row["trial"] < 4]
    assert rank_correlation.collect(load(searched)) is None
    assert rank_correlation.collect(load(searched | {"epochs": []})) is None
