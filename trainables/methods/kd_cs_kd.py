"""Knowledge distillation together with CS-KD."""

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
    r"""Draws predictions to those of a trained network and, as CS-KD does, to those of another image of the class.

    * Paper: Yun et al., CVPR 2020, section 3.2 and table 4.
    * Loss: :math:`CE(z, y) + \lambda_{KD} KD_T(z, t) + \lambda_{cls} KD_T(z, z')`; where ``alpha`` is given, the first
      two are weighted by :math:`1 - \alpha` and :math:`\alpha`. The trained network sees the augmented anchor, in
      evaluation mode.
    * Hyperparameters: ``temperature`` 4, ``lambda_kd`` 1, ``lambda_cls`` 1; the paper prints neither form nor weights.
    * Cost: about 1.33 times cross-entropy and a forward pass of the teacher.
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
        """The network to learn from."""
        return self.teacher

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Parts ``ce``, ``kd`` and ``cls``."""
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
