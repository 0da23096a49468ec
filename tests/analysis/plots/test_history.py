"""Tests the points and the best value so far."""

import numpy as np

from analysis.plots import history


def test_the_line_is_the_best_completed_value_so_far(load, searched) -> None:
    data = history.collect(load(searched))
    values = [trial["validation/top1_error"] for trial in searched["trials"][:40]]
    assert data.best["trial"].tolist() == list(range(40))
    assert data.best["value"].tolist() == list(np.minimum.accumulate(values))
    assert len(data.points) == 41  # the failed trial has no value


def test_larger_is_better_for_recall(load, searched) -> None:
    searched["study"]["objectives"] = ["validation/recall_at_1"]
    for number, trial in enumerate(searched["trials"]):
        trial["validation/recall_at_1"] = 0.5 + 0.01 * (number % 7)
    best = history.collect(load(searched)).best["value"]
    assert best.is_monotonic_increasing
    assert best.iloc[-1] == 0.56


def test_the_caption_names_the_last_improvement(load, content) -> None:
    caption = history.caption(history.collect(load(content)))
    assert "The best value, 22.95 %, was found by trial 4; 2 later completed trials did not improve on it." in caption


def test_without_trials_there_is_no_figure(load, content) -> None:
    assert history.collect(load(content | {"trials": []})) is None
