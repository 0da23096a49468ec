"""Knowledge distillation combined with CS-KD."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from trainables.interfaces import LossTerms, Method, Teacher, View
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.softened_kl import softened_kl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from trainables.interfaces import Batch, Forward


class KdCsKd(Method):
    r"""Matches the softened predictions of a pretrained teacher and those for another image of the class (KD + CS-KD).

    * Paper: Yun et al., CVPR 2020, section 3.2 and table 4.
    * Loss: :math:`CE(z, y) + \lambda_{KD} KD_T(z, t) + \lambda_{cls} KD_T(z, z')`, where :math:`t` are the logits of
      the teacher for the augmented anchor and :math:`z'` those of the network for its augmented partner. If ``alpha``
      is set, the first two terms have the weights :math:`1 - \alpha` and :math:`\alpha`. The teacher is in evaluation
      mode, and its weights are fixed.
    * Hyperparameters: ``temperature`` > 0, ``lambda_kd`` >= 0, ``lambda_cls`` >= 0, ``alpha`` in [0, 1]. The paper
      prints neither the form of the loss nor the weights.
    * Cost: about 1.33 times cross-entropy and a forward pass of the teacher.

    Attributes:
        temperature: Temperature of the softened predictions.
        lambda_kd: Weight of the distillation term; without effect if alpha is set.
        lambda_cls: Weight of the class-wise term.
        alpha: Weight of the distillation term, while cross-entropy has the weight 1 - alpha; None uses ``lambda_kd``.
        teacher: Pretrained teacher.
        partner_may_equal_anchor: Whether an anchor can be drawn as its own partner, with another augmentation.
    """

    temperature: float = Field(default=4.0, gt=0)
    lambda_kd: float = Field(default=1.0, ge=0)
    lambda_cls: float = Field(default=1.0, ge=0)
    alpha: float | None = Field(default=None, ge=0, le=1)
    teacher: Teacher = Teacher()
    partner_may_equal_anchor: bool = True

    def views(self) -> tuple[View, ...]:
        """Augmented anchors and augmented partners."""
        partner = View("partner", "partner" if self.partner_may_equal_anchor else "other_partner")
        return (View("anchor"), partner)

    def pretrained(self) -> Teacher:
        """Teacher to load."""
        return self.teacher

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Loss with the parts ``ce``, ``kd`` and ``cls``."""
        images, temperature = batch.views["anchor"], values["temperature"]
        logits = forward.student(images).logits
        ce = cross_entropy(logits, batch.labels)
        kd = softened_kl(logits, forward.pretrained(images).logits, temperature)
        cls = softened_kl(logits, forward.teacher(batch.views["partner"]).logits, temperature)
        if self.alpha is None:
            first = ce + values["lambda_kd"] * kd
        else:
            first = (1 - values["alpha"]) * ce + values["alpha"] * kd
        return LossTerms(first + values["lambda_cls"] * cls, {"ce": ce, "kd": kd, "cls": cls}, logits)
