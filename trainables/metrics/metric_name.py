"""The name of a measured value, such as ``validation/top1_error``."""

from __future__ import annotations

from typing import NamedTuple


class MetricName(NamedTuple):
    """Where a value was measured, and what.

    Attributes:
        split: ``train``, ``validation``, ``test`` or ``best_test``; empty for a quantity by itself.
        quantity: A key of ``trainables.metrics.METRICS``, or the name of a loss term.

    Example:
        >>> MetricName.parse("validation/top1_error").quantity
        'top1_error'
    """

    split: str
    quantity: str

    def __str__(self) -> str:
        """``<split>/<quantity>``."""
        return f"{self.split}/{self.quantity}" if self.split else self.quantity

    @classmethod
    def parse(cls, text: str) -> MetricName:
        """The parts of ``<split>/<quantity>``; a text without a slash is a quantity."""
        split, _, quantity = text.rpartition("/")
        return cls(split, quantity)
