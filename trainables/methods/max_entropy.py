"""Cross-entropy with a penalty on confident predictions."""

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
    r"""Rewards the entropy of the predictions, so that they stay less confident; also called confidence penalty.

    * Paper: Pereyra et al., Regularizing neural networks by penalizing confident output distributions, ICLR workshop
      2017, section 3; Dubey et al., Maximum-entropy fine-grained classification, NeurIPS 2018.
    * Loss: :math:`CE(z, y) - \beta\,\frac1n\sum_i H(\sigma(z_i))`, the entropy in nats and summed over the classes.
    * Hyperparameters: ``beta`` 0.1 is usually quoted for the first paper. The CS-KD paper prints none; the calibration
      errors of its table 6 fit only values near 1, the default.
    * Cost: that of cross-entropy.
    """

    beta: float = Field(default=1.0, ge=0)

    def views(self) -> tuple[View, ...]:
        """The augmented anchors."""
        return (View("anchor"),)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Parts ``ce`` and ``entropy``."""
        logits = forward.student(batch.views["anchor"]).logits
        ce, entropy = cross_entropy(logits, batch.labels), mean_entropy(logits)
        return LossTerms(ce - values["beta"] * entropy, {"ce": ce, "entropy": entropy}, logits)
