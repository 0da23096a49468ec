"""Formats numbers, metrics and counts as text, in the same way for tables, captions and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.metrics.calibration import CALIBRATION
from trainables.metrics.classification import METRICS
from trainables.metrics.metric_name import MetricName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.statistics.over_seeds import Interval


_METRICS = METRICS | CALIBRATION
STATES = {"COMPLETE": "completed", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}
_QUANTITIES = {
    "top1_error": "top-1 error",
    "top5_error": "top-5 error",
    "ece": "ECE",
    "nll": "NLL",
    "recall_at_1": "recall@1",
}


def metric_words(metric: str) -> str:
    """Returns the printed name of a metric.

    Example:
        >>> metric_words("validation/top1_error")
        'validation top-1 error'
    """
    split, quantity = MetricName.parse(metric)
    return f"{split} {_QUANTITIES.get(quantity, quantity)}".strip()


def shortened(text: str, longest: int = 300) -> str:
    """Cuts text after ``longest`` characters and appends its length.

    Example:
        >>> shortened("x" * 10_000, 3)
        'xxx… (10000 characters)'
    """
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def number_of(count: int, thing: str) -> str:
    """Returns a count with its noun, in the plural unless the count is 1.

    Example:
        >>> number_of(1, "run"), number_of(2, "run")
        ('1 run', '2 runs')
    """
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def reuse_words(sources: Sequence[str]) -> str:
    """Returns how many runs were reused, and from which studies.

    Args:
        sources: Name of the source study of each reused run; at least one.

    Example:
        >>> reuse_words(["first", "first", "other"])
        '3 runs were reused from first and other instead of being trained again.'
    """
    verb = "was" if len(sources) == 1 else "were"
    names = " and ".join(sorted(set(sources)))
    return f"{number_of(len(sources), 'run')} {verb} reused from {names} instead of being trained again."


def capital(sentence: str) -> str:
    """Returns the sentence with an upper-case first letter; unlike ``str.capitalize``, the rest is unchanged."""
    return sentence[:1].upper() + sentence[1:]


def spread(mean: float | None, std: float | None, metric: str) -> str | None:
    """Returns a mean ± standard deviation: percent with two decimals for fractions, four decimals otherwise.

    Example:
        >>> spread(0.2199, 0.0013, "test/top1_error"), spread(1.25, None, "test/nll")
        ('21.99 ± 0.13', '1.2500')
    """
    if mean is None:
        return None
    scale, digits = scale_of(metric)
    return f"{scale * mean:.{digits}f}" + ("" if std is None else f" ± {scale * std:.{digits}f}")


def hours(time: float) -> float:
    """Rounds a number of hours to two significant digits.

    Example:
        >>> hours(0.001234), hours(12.34)
        (0.0012, 12.0)
    """
    return float(f"{time:.2g}")


def with_unit(value: str | None, metric: str) -> str:
    """Returns a printed value with the unit of its metric."""
    return f"{value} {'%' if scale_of(metric)[0] == 100 else 'nats'}"


def minus(text: str) -> str:
    """Replaces the hyphens of a printed number by minus signs.

    Example:
        >>> minus("-0.05")
        '−0.05'
    """
    return text.replace("-", "−")


def signed(value: float | None, metric: str) -> str | None:
    """Returns a difference with its sign, rounded as in ``spread``.

    Example:
        >>> signed(-0.0272, "test/top1_error")
        '−2.72'
    """
    if value is None:
        return None
    scale, digits = scale_of(metric)
    return minus(f"{round(scale * value, digits) + 0.0:+.{digits}f}")


def interval_words(interval: Interval | None, metric: str, *, signs: bool = False) -> str | None:
    """Returns both ends of an interval, such as ``21.90 to 22.08``.

    Example:
        >>> from analysis.statistics.over_seeds import Interval
        >>> interval_words(Interval(-0.021, 0.004), "test/top1_error", signs=True)
        '−2.10 to +0.40'
    """
    if interval is None:
        return None
    low, high = (signed(end, metric) if signs else spread(end, None, metric) for end in interval)
    return f"{low} to {high}"


def number(value: object) -> str:
    """Returns a setting as text, floats with four significant digits.

    Example:
        >>> number(0.123456), number("a")
        ('0.1235', 'a')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def scale_of(metric: str) -> tuple[float, int]:
    """Returns the factor and the number of decimals with which a metric is printed."""
    return (100.0, 2) if _METRICS[MetricName.parse(metric).quantity].unit == "fraction" else (1.0, 4)


def probability(p: float | None) -> str | None:
    """Returns a p-value with three decimals.

    Example:
        >>> probability(0.0312), probability(0.00001)
        ('0.031', '<0.001')
    """
    return None if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"
