"""Cross-entropy with a penalty on confident predictions (maximum entropy)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.entropy import mean_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from trainables.interfaces import Batch, Forward


class MaxEntropy(Method):
    r"""Cross-entropy minus the weighted entropy of the predictions; also called confidence penalty.

    * Paper: Pereyra et al., Regularizing neural networks by penalizing confident output distributions, ICLR workshop
      2017, section 3; Dubey et al., Maximum-entropy fine-grained classification, NeurIPS 2018.
    * Loss: :math:`CE(z, y) - \beta\,\frac1n\sum_i H(\sigma(z_i))`, where the entropy :math:`H` is in nats and summed
      over the classes.
    * Hyperparameters: ``beta`` >= 0. The value usually quoted for the first paper is 0.1. The CS-KD paper prints none;
      the calibration errors of its table 6 are compatible only with values near 1, the default.
    * Cost: that of cross-entropy.

    Attributes:
        beta: Weight of the entropy.
    """

    beta: float = Field(default=1.0, ge=0)

    def views(self) -> tuple[View, ...]:
        """Augmented anchors."""
        return (View("anchor"),)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Loss with the parts ``ce`` and ``entropy``, in nats."""
        logits = forward.student(batch.views["anchor"]).logits
        ce, entropy = cross_entropy(logits, batch.labels), mean_entropy(logits)
        return LossTerms(ce - values["beta"] * entropy, {"ce": ce, "entropy": entropy}, logits)
