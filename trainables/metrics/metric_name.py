"""The name of a measured value, such as ``validation/top1_error``."""

from __future__ import annotations

from typing import NamedTuple


class MetricName(NamedTuple):
    """Split and quantity of a measured value.

    Attributes:
        split: Split of the value: ``train``, ``validation``, ``test`` or ``best_test``, followed by ``/<readout>`` for
            a readout of the method; empty for a quantity alone.
        quantity: Key of ``trainables.metrics.METRICS``, or name of a loss term; has no slash.

    Example:
        >>> MetricName.parse("validation/top1_error").quantity
        'top1_error'
    """

    split: str
    quantity: str

    def __str__(self) -> str:
        """Text ``<split>/<quantity>``, or the quantity alone if there is no split."""
        return f"{self.split}/{self.quantity}" if self.split else self.quantity

    @classmethod
    def parse(cls, text: str) -> MetricName:
        """Splits ``<split>/<quantity>`` at the last slash; a text without a slash is a quantity alone."""
        split, _, quantity = text.rpartition("/")
        return cls(split, quantity)
