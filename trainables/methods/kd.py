"""Knowledge distillation (KD) from a pretrained teacher."""

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


class Kd(Method):
    r"""Matches the softened predictions of a pretrained teacher for the same augmented images (KD).

    * Paper: Hinton et al., Distilling the knowledge in a neural network, 2015. The CS-KD paper (table 4) distils a
      DenseNet-121 trained by CS-KD into a ResNet-10.
    * Loss: :math:`CE(z, y) + \lambda_{KD} KD_T(z, t)`, or :math:`(1 - \alpha) CE(z, y) + \alpha KD_T(z, t)` if
      ``alpha`` is set, where :math:`t` are the logits of the teacher. The teacher is in evaluation mode, and its
      weights are fixed.
    * Hyperparameters: ``temperature`` > 0, ``lambda_kd`` >= 0, ``alpha`` in [0, 1]. The CS-KD paper prints neither the
      form of the loss nor the weights; ``alpha`` is often 0.9.
    * Cost: cross-entropy and a forward pass of the teacher.

    Attributes:
        temperature: Temperature of the softened predictions.
        lambda_kd: Weight of the distillation term; without effect if alpha is set.
        alpha: Weight of the distillation term, while cross-entropy has the weight 1 - alpha; None uses ``lambda_kd``.
        teacher: Pretrained teacher.
    """

    temperature: float = Field(default=4.0, gt=0)
    lambda_kd: float = Field(default=1.0, ge=0)
    alpha: float | None = Field(default=None, ge=0, le=1)
    teacher: Teacher = Teacher()

    def views(self) -> tuple[View, ...]:
        """Augmented anchors."""
        return (View("anchor"),)

    def pretrained(self) -> Teacher:
        """Teacher to load."""
        return self.teacher

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Loss with the parts ``ce`` and ``kd``."""
        images = batch.views["anchor"]
        logits = forward.student(images).logits
        ce = cross_entropy(logits, batch.labels)
        kd = softened_kl(logits, forward.pretrained(images).logits, values["temperature"])
        if self.alpha is None:
            total = ce + values["lambda_kd"] * kd
        else:
            total = (1 - values["alpha"]) * ce + values["alpha"] * kd
        return LossTerms(total, {"ce": ce, "kd": kd}, logits)
