"""Plain cross-entropy, the baseline of every comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.cross_entropy import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from trainables.interfaces import Batch, Forward


class CrossEntropy(Method):
    """Cross-entropy with the labels, nothing else.

    * Loss: :math:`CE(z, y)`.
    * Hyperparameters: none of its own.
    * Cost: 1, the unit of the other cards; one forward and one backward pass per batch.
    """

    def views(self) -> tuple[View, ...]:
        """The augmented anchors."""
        return (View("anchor"),)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:  # noqa: ARG002
        """Part ``ce``, which is the whole loss."""
        logits = forward.student(batch.views["anchor"]).logits
        ce = cross_entropy(logits, batch.labels)
        return LossTerms(ce, {"ce": ce}, logits)
