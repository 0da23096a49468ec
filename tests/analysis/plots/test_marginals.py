"""Tests the averages over other parameters against the function behind the trials."""

import numpy as np
import pytest

from analysis.plots import marginals


def test_curves_follow_the_average_of_the_function(load, searched, truth) -> None:
    data = marginals.collect(load(searched))
    random = np.random.default_rng(0)
    others = 2 ** random.uniform(-1, 4, 2000), 2 ** random.uniform(-4, 2, 2000)
    curve = data.curves[[p.name for p in data.parameters].index("lambda_cls")]
    for row in curve.iloc[4:-4:8].itertuples():
        expected = np.mean([truth(t, row.value, e) for t, e in zip(*others, strict=True)])
        assert row.mean == pytest.approx(expected, abs=0.004)
        assert row.low < row.mean < row.high


def test_the_caption_gives_best_values_and_ranges(load, searched) -> None:
    caption = marginals.caption(marginals.collect(load(searched)))
    assert "λ_cls: best near" in caption
    assert "40 completed trials" in caption


def test_with_too_few_trials_there_is_no_figure(load, content) -> None:
    assert marginals.collect(load(content)) is None  # seven completed trials
