"""Tests the front of two objectives, or of the objective and a measured metric."""

import pytest

from analysis.plots import tradeoff


@pytest.fixture
def two(searched):
    """Returns two objectives with trials 0 to 2 on the front; the second to minimise and to maximise."""
    for number, trial in enumerate(searched["trials"][:40]):
        trial["validation/top1_error"] = (0.20, 0.21, 0.22)[number] if number < 3 else 0.3
        trial["validation/ece"] = (0.09, 0.05, 0.02)[number] if number < 3 else 0.1
        trial["validation/recall_at_1"] = 1 - trial["validation/ece"]
    return searched


@pytest.mark.parametrize("second", ["validation/ece", "validation/recall_at_1"])
def test_the_front_of_two_objectives(load, two, second) -> None:
    two["study"]["objectives"] = ["validation/top1_error", second]
    data = tradeoff.collect(load(two))
    assert (data.metrics, data.searched) == (("validation/top1_error", second), True)
    assert data.points.loc[data.points["front"], "trial"].tolist() == [0, 1, 2]
    assert (
        "(both objectives). Line: Pareto front, which no other trial dominates (trials 0, 1, 2);"
        in tradeoff.caption(data)
    )
    # Share of the box from (0.20, 0.02) to (0.30, 0.10), with steps at 0.20, 0.21 and 0.22.
    assert data.covered == pytest.approx((0.01 * 0.01 + 0.01 * 0.05 + 0.08 * 0.08) / (0.10 * 0.08))
    assert "covers 88 % of the area" in tradeoff.caption(data)


def test_a_second_metric_that_was_only_measured(load, searched) -> None:
    data = tradeoff.collect(load(searched))
    assert (data.metrics[1], data.searched) == ("validation/nll", False)
    assert data.points["winner"].sum() == 1
    assert "(the second measured only, not an objective)" in tradeoff.caption(data)
    assert data.points["front"].sum() == 1  # its NLL is a multiple of its error
    assert "Line: Pareto front, which no other trial dominates (trial 17);" in tradeoff.caption(data)


def test_with_too_few_trials_there_is_no_figure(load, searched) -> None:
    assert tradeoff.collect(load(searched | {"trials": searched["trials"][:2]})) is None
