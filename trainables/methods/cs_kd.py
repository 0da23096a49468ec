"""Class-wise self-knowledge distillation (CS-KD), and CS-KD-E with the sample-wise term."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.softened_kl import softened_kl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from trainables.interfaces import Batch, Forward


class CsKd(Method):
    r"""Matches the softened predictions for two images of a class; the second image is the teacher (CS-KD).

    * Paper: Yun et al., Regularizing class-wise predictions via self-knowledge distillation, CVPR 2020, equation 1; the
      sample-wise term (CS-KD-E) is in section 3.4.
    * Loss: :math:`CE(z, y) + \lambda_{cls}\,KD_T(z, z') + \lambda_E\,KD_T(z, \tilde z)`, where :math:`z` are the logits
      of the augmented anchor, :math:`z'` those of its augmented partner, a random image of the same class, and
      :math:`\tilde z` those of the anchor without augmentation. Both teachers are constants. :math:`KD_T` is the KL
      divergence of the softened predictions and includes the factor :math:`T^2`.
    * Hyperparameters: ``temperature`` > 0, ``lambda_cls`` >= 0, ``lambda_e`` >= 0. The paper searched ``temperature``
      in {1, 4} and ``lambda_cls`` in {1, 2, 3, 4} (section 3.1) and does not print the selected values; its released
      code uses 4 and 1 on CIFAR-100, 4 and 3 on CUB. The paper does not print ``lambda_e``. The released code allows a
      partner that is the anchor itself.
    * Cost: about 1.33 times cross-entropy, 1.67 times with ``lambda_e``. Each teacher pass is a separate forward pass
      in train mode and updates the batch-norm statistics again.

    Attributes:
        temperature: Temperature of the softened predictions.
        lambda_cls: Weight of the class-wise term.
        lambda_e: Weight of the sample-wise term of CS-KD-E; 0 omits the term and its forward pass.
        partner_may_equal_anchor: Whether an anchor can be drawn as its own partner, with another augmentation.
    """

    temperature: float = Field(default=4.0, gt=0)
    lambda_cls: float = Field(default=1.0, ge=0)
    lambda_e: float = Field(default=0.0, ge=0)
    partner_may_equal_anchor: bool = True

    def views(self) -> tuple[View, ...]:
        """Augmented anchors, augmented partners and, with ``lambda_e``, the anchors without augmentation."""
        partner = View("partner", "partner" if self.partner_may_equal_anchor else "other_partner")
        plain = (View("plain", augmented=False),) if self.lambda_e > 0 else ()
        return (View("anchor"), partner, *plain)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Loss with the parts ``ce``, ``cls`` and, with ``lambda_e``, ``sample``."""
        logits = forward.student(batch.views["anchor"]).logits
        ce = cross_entropy(logits, batch.labels)
        partner = forward.teacher(batch.views["partner"]).logits
        cls = softened_kl(logits, partner, values["temperature"])
        total = ce + values["lambda_cls"] * cls
        if self.lambda_e == 0:
            return LossTerms(total, {"ce": ce, "cls": cls}, logits)
        plain = forward.teacher(batch.views["plain"]).logits
        sample = softened_kl(logits, plain, values["temperature"])
        return LossTerms(total + values["lambda_e"] * sample, {"ce": ce, "cls": cls, "sample": sample}, logits)
