"""Computes means, standard deviations, intervals and tests over seeds (NumPy and SciPy only)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class MeanStd(NamedTuple):
    """Mean, sample standard deviation (None for one value) and number of values."""

    mean: float
    std: float | None
    n: int


class Interval(NamedTuple):
    """Two-sided confidence interval, ends included."""

    low: float
    high: float


class PairedDifference(NamedTuple):
    """Mean of paired differences with its interval and p-value, both None for a single pair.

    Attributes:
        mean: Mean of a - b, in the values' unit.
        interval: Two-sided t interval of the mean.
        p: Two-sided p-value of the paired t-test, for no difference.
        n: Number of pairs.
    """

    mean: float
    interval: Interval | None
    p: float | None
    n: int


def mean_std(values: Sequence[float]) -> MeanStd:
    r"""Mean and sample standard deviation.

    .. math:: \bar x = \tfrac{1}{n} \sum_i x_i, \qquad s = \sqrt{\tfrac{1}{n-1} \sum_i (x_i - \bar x)^2}

    Raises:
        ValueError: There is no value, or one is not finite.

    Example:
        >>> mean_std([0.25, 0.5, 0.75])
        MeanStd(mean=0.5, std=0.25, n=3)
    """
    x = _finite(values)
    return MeanStd(float(x.mean()), float(x.std(ddof=1)) if x.size > 1 else None, x.size)


def pooled_std(groups: Sequence[Sequence[float]]) -> float | None:
    r"""Pooled standard deviation within groups; None if no group has two values.

    .. math:: s = \sqrt{\sum_g \sum_i (x_{gi} - \bar x_g)^2 / \sum_g (n_g - 1)}

    Example:
        >>> pooled_std([[1.0, 2.0], [5.0, 6.0], [9.0]])
        0.7071067811865476
    """
    many = [_finite(group) for group in groups if len(group) > 1]
    if not many:
        return None
    squares = sum(float(((x - x.mean()) ** 2).sum()) for x in many)
    return float((squares / sum(x.size - 1 for x in many)) ** 0.5)


def t_interval(values: Sequence[float], confidence: float = 0.95) -> Interval | None:
    r"""Student's t interval of the mean; None for a single value.

    .. math:: \bar x \pm t_{n-1,\,(1+c)/2} \; s / \sqrt{n}

    Args:
        values: Independent measurements, at least one.
        confidence: Confidence c, between 0 and 1.

    Raises:
        ValueError: There is no value, one is not finite, or the confidence is out of range.

    Example:
        >>> low, high = t_interval([0.25, 0.5, 0.75])
        >>> round(low, 4), round(high, 4)
        (-0.121, 1.121)
    """
    from scipy import stats

    if not 0 < confidence < 1:
        raise ValueError(f"the confidence must be between 0 and 1, not {confidence}")
    mean, std, n = mean_std(values)
    if std is None:
        return None
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * std / n**0.5
    return Interval(mean - half, mean + half)


def paired_difference(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> PairedDifference:
    r"""Mean difference of paired measurements, here runs of two arms with the same seed.

    With :math:`d_i = a_i - b_i`: the t interval of :math:`\bar d`, and the two-sided p-value of
    :math:`t = \bar d \sqrt{n} / s_d` with n - 1 degrees of freedom. If all differences are equal, the interval has
    width 0 and p is the limit: 1 for a difference of 0, otherwise 0.

    Args:
        a: Values of one arm.
        b: Values of the other arm, in the same order of seeds.
        confidence: Confidence of the interval, between 0 and 1.

    Raises:
        ValueError: The lengths differ, there is no value, or one is not finite.

    Example:
        >>> paired_difference([0.25, 0.5], [0.5, 0.75])
        PairedDifference(mean=-0.25, interval=Interval(low=-0.25, high=-0.25), p=0.0, n=2)
    """
    from scipy import stats

    first, second = _finite(a), _finite(b)
    if first.size != second.size:
        raise ValueError(f"paired values must be equally many, not {first.size} and {second.size}")
    mean, std, n = mean_std(list(first - second))
    if std is None:
        return PairedDifference(mean, None, None, n)
    interval = t_interval(list(first - second), confidence)
    if std == 0:
        return PairedDifference(mean, interval, float(mean == 0), n)
    return PairedDifference(mean, interval, float(2 * stats.t.sf(abs(mean) * n**0.5 / std, n - 1)), n)


def wilcoxon_p(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Two-sided p-value of Wilcoxon's signed-rank test of pairs, exact for few; None if all pairs are equal.

    With n pairs it cannot be less than 2 / 2^n: 0.25 for three seeds.

    Example:
        >>> wilcoxon_p([0.25, 0.5, 0.75], [0.3, 0.6, 0.95])
        0.25
    """
    from scipy import stats

    difference = _finite(a) - _finite(b)
    return float(stats.wilcoxon(difference).pvalue) if difference.any() else None


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for multiple comparisons (Holm 1979), in the given order.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def mcnemar_p(a_wrong: NDArray[np.bool_], b_wrong: NDArray[np.bool_]) -> float | None:
    """Two-sided p-value of McNemar's exact test: whether two classifiers err equally often on the same samples.

    Args:
        a_wrong: Whether the first misclassifies each sample ``[n]``.
        b_wrong: Whether the second misclassifies each sample ``[n]``.

    Returns:
        The p-value; None if the two never disagree.
    """
    from scipy import stats

    only_a, only_b = int((a_wrong & ~b_wrong).sum()), int((b_wrong & ~a_wrong).sum())
    return float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else None


def bootstrap_interval(values: NDArray[np.float64], resamples: int = 2000) -> Interval:
    """Percentile bootstrap interval, 95 %, of a mean over samples, with a fixed seed.

    Args:
        values: Value of each sample ``[n]``. Few distinct values make it fast: their counts are drawn as multinomial.
        resamples: Number of resamples.
    """
    distinct, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(len(values), counts / len(values), size=resamples)
    low, high = np.quantile(drawn @ distinct / len(values), [0.025, 0.975])
    return Interval(float(low), float(high))


def difference_p(a: MeanStd, b: MeanStd) -> float | None:
    """Two-sided p-value of Welch's t-test for equal means; None if a standard deviation is missing or both are 0.

    Example:
        >>> round(difference_p(MeanStd(0.2199, 0.0013, 3), MeanStd(0.2471, 0.0024, 3)), 5)
        0.00036
    """
    from scipy import stats

    if a.std is None or b.std is None or a.std == b.std == 0:
        return None
    result = stats.ttest_ind_from_stats(a.mean, a.std, a.n, b.mean, b.std, b.n, equal_var=False)
    return float(result.pvalue)


def relative_error_reduction(err_baseline: float, err: float) -> float | None:
    """Relative error reduction in percent: 100 (baseline - error) / baseline (paper, section 3.2).

    Args:
        err_baseline: Unrounded mean error of the baseline, in any unit.
        err: Unrounded mean error, in the same unit.

    Returns:
        Reduction in percent, positive for fewer errors; None if the baseline's error is 0.

    Example:
        >>> round(relative_error_reduction(24.71, 21.99), 1)
        11.0
    """
    return 100 * (err_baseline - err) / err_baseline if err_baseline else None


def _finite(values: Sequence[float]) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if x.size == 0 or not np.isfinite(x).all():
        raise ValueError("statistics need at least one value, and all must be finite")
    return x
