import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.over_seeds import (
    MeanStd,
    difference_p,
    mean_std,
    paired_difference,
    relative_error_reduction,
    t_interval,
)

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "golden.json").read_text())["sections"]
# 97.5 % and 99.5 % points of Student's t, from printed tables.
T_975 = {1: 12.7062, 2: 4.30265, 3: 3.18245, 9: 2.26216}
T_995 = {2: 9.92484, 9: 3.24984}

values = st.lists(st.floats(0, 1), min_size=2, max_size=10)


@pytest.mark.parametrize("case", GOLDEN["relative_error_reduction"]["cases"], ids=lambda case: str(case["err_ce"]))
def test_relative_error_reduction(case: dict[str, float]) -> None:
    assert relative_error_reduction(case["err_ce"], case["err"]) == pytest.approx(case["percent"], rel=1e-12)


def test_relative_error_reduction_of_no_errors() -> None:
    assert relative_error_reduction(0.0, 0.1) is None


def test_mean_and_sample_standard_deviation() -> None:
    x = [0.2199, 0.2212, 0.2186]
    mean = sum(x) / 3
    std = math.sqrt(sum((value - mean) ** 2 for value in x) / 2)
    assert mean_std(x) == (pytest.approx(mean, rel=1e-14), pytest.approx(std, rel=1e-12), 3)
    assert mean_std([0.5]) == (0.5, None, 1)


@pytest.mark.parametrize("wrong", [[], [math.nan], [1.0, math.inf]])
def test_missing_and_non_finite_values_are_refused(wrong: list[float]) -> None:
    for function in (mean_std, t_interval):
        with pytest.raises(ValueError, match="finite"):
            function(wrong)
    with pytest.raises(ValueError, match="finite"):
        paired_difference(wrong, wrong)


@pytest.mark.parametrize(("confidence", "quantiles"), [(0.95, T_975), (0.99, T_995)])
def test_interval_against_printed_quantiles(confidence: float, quantiles: dict[int, float]) -> None:
    for freedom, t in quantiles.items():
        x = np.random.default_rng(freedom).normal(size=freedom + 1)
        half = t * x.std(ddof=1) / math.sqrt(x.size)
        interval = t_interval(list(x), confidence)
        assert interval is not None
        np.testing.assert_allclose(interval, (x.mean() - half, x.mean() + half), rtol=1e-4, atol=1e-5)


def test_interval_of_one_value_and_of_a_wrong_confidence() -> None:
    assert t_interval([0.5]) is None
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_interval([0.5, 0.6], confidence=95)


def test_paired_difference_against_the_closed_form_for_two_degrees_of_freedom() -> None:
    a, b = [0.2199, 0.2212, 0.2186], [0.2471, 0.2460, 0.2488]
    d = np.subtract(a, b)
    t = d.mean() * math.sqrt(3) / d.std(ddof=1)
    p = 1 - abs(t) / math.sqrt(2 + t * t)  # the t distribution with two degrees of freedom has a closed form
    half = T_975[2] * d.std(ddof=1) / math.sqrt(3)
    found = paired_difference(a, b)
    assert found.mean == pytest.approx(d.mean(), rel=1e-12)
    assert found.p == pytest.approx(p, rel=1e-9)
    assert found.interval == pytest.approx((d.mean() - half, d.mean() + half), rel=1e-5)
    assert found.n == 3


def test_paired_difference_of_few_and_of_equal_values() -> None:
    assert paired_difference([0.2], [0.3]) == (pytest.approx(-0.1), None, None, 1)
    assert paired_difference([0.2, 0.3], [0.2, 0.3]) == (0.0, (0.0, 0.0), 1.0, 2)
    assert paired_difference([0.5, 0.75], [0.25, 0.5]) == (0.25, (0.25, 0.25), 0.0, 2)
    with pytest.raises(ValueError, match="must be equally many"):
        paired_difference([0.2, 0.3], [0.2])


@settings(max_examples=50, deadline=None)
@given(values, values)
def test_paired_difference_is_antisymmetric_and_its_interval_agrees_with_p(a: list[float], b: list[float]) -> None:
    n = min(len(a), len(b))
    one, other = paired_difference(a[:n], b[:n]), paired_difference(b[:n], a[:n])
    assert one.interval is not None
    assert other.interval is not None
    assert one.p is not None
    assert one.mean == -other.mean
    assert one.p == other.p
    assert one.interval.low == -other.interval.high
    assert one.interval.low <= one.mean <= one.interval.high
    if abs(one.p - 0.05) > 1e-9:
        assert (one.p < 0.05) == (not one.interval.low <= 0 <= one.interval.high)


def test_difference_of_summaries_equals_that_of_the_values() -> None:
    x, y = np.random.default_rng(0).normal(size=4), np.random.default_rng(1).normal(0.5, 2, size=6)
    vx, vy = x.var(ddof=1) / 4, y.var(ddof=1) / 6
    freedom = (vx + vy) ** 2 / (vx**2 / 3 + vy**2 / 5)
    t = abs(x.mean() - y.mean()) / math.sqrt(vx + vy)
    grid = np.linspace(t, 2000, 4_000_001)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    tail = float(np.trapezoid(scale * (1 + grid**2 / freedom) ** (-(freedom + 1) / 2), grid))
    assert difference_p(mean_std(list(x)), mean_std(list(y))) == pytest.approx(2 * tail, rel=1e-5)


def test_difference_of_summaries_without_spread() -> None:
    assert difference_p(MeanStd(0.1, None, 1), MeanStd(0.2, 0.1, 3)) is None
    assert difference_p(MeanStd(0.1, 0.0, 3), MeanStd(0.2, 0.0, 3)) is None
