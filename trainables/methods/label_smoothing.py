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
    r"""Cross-entropy with targets that are smoothed over all classes, so that predictions are less confident.

    * Paper: Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016, section 7.
    * Loss: :math:`CE(z, (1 - \epsilon)\,y + \epsilon / C)`, over all :math:`C` classes.
    * Hyperparameters: ``epsilon`` in [0, 1), 0.1 in its paper. The CS-KD paper prints no value.
    * Cost: that of cross-entropy.

    Attributes:
        epsilon: Fraction of the target's probability that is spread evenly over all classes.
    """

    epsilon: float = Field(default=0.1, ge=0, lt=1)

    def views(self) -> tuple[View, ...]:
        """Augmented anchors."""
        return (View("anchor"),)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Loss with the part ``ce``, the smoothed cross-entropy, which is the total."""
        logits = forward.student(batch.views["anchor"]).logits
        ce = cross_entropy(logits, batch.labels, values["epsilon"])
        return LossTerms(ce, {"ce": ce}, logits)
