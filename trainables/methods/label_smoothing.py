"""Cross-entropy with smoothed labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.cross_entropy import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from trainables.interfaces import Batch, Forward


class LabelSmoothing(Method):
    r"""Takes a little probability from the label and spreads it over all classes: predictions grow less confident.

    * Paper: Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016, section 7.
    * Loss: :math:`CE(z, (1 - \epsilon)\,y + \epsilon / C)`, over all C classes.
    * Hyperparameters: ``epsilon`` 0.1 in its paper; the CS-KD paper compares against it and prints none.
    * Cost: that of cross-entropy.
    """

    epsilon: float = Field(default=0.1, ge=0, lt=1)

    def views(self) -> tuple[View, ...]:
        """The augmented anchors."""
        return (View("anchor"),)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Part ``ce``, the smoothed cross-entropy, which is the whole loss."""
        logits = forward.student(batch.views["anchor"]).logits
        ce = cross_entropy(logits, batch.labels, values["epsilon"])
        return LossTerms(ce, {"ce": ce}, logits)
