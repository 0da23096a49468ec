"""Cross-entropy, the baseline of all comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.cross_entropy import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from trainables.interfaces import Batch, Forward


class CrossEntropy(Method):
    r"""Cross-entropy with the labels.

    * Loss: :math:`CE(z, y) = -\frac1n \sum_i \log \sigma(z_i)_{y_i}`, in nats.
    * Hyperparameters: none.
    * Cost: one forward and one backward pass per batch. The costs of the other methods are relative to it.
    """

    def views(self) -> tuple[View, ...]:
        """Augmented anchors."""
        return (View("anchor"),)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:  # noqa: ARG002
        """Loss with the part ``ce``, which is the total."""
        logits = forward.student(batch.views["anchor"]).logits
        ce = cross_entropy(logits, batch.labels)
        return LossTerms(ce, {"ce": ce}, logits)
