"""Knowledge distillation from a trained network."""

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
    r"""Draws predictions to those of another, trained network, which sees the same augmented images.

    * Paper: Hinton et al., Distilling the knowledge in a neural network, 2015; the CS-KD paper's table 4 distils a
      DenseNet-121 trained by CS-KD into a ResNet-10.
    * Loss: :math:`CE(z, y) + \lambda_{KD} KD_T(z, t)`; where ``alpha`` is given, :math:`(1 - \alpha) CE(z, y) + \alpha
      KD_T(z, t)` instead. The teacher is in evaluation mode and fixed.
    * Hyperparameters: ``temperature`` 4, ``lambda_kd`` 1; the CS-KD paper prints none. ``alpha`` is often 0.9.
    * Cost: cross-entropy and a forward pass of the teacher.
    """

    temperature: float = Field(default=4.0, gt=0)
    lambda_kd: float = Field(default=1.0, ge=0)
    alpha: float | None = Field(default=None, ge=0, le=1)
    teacher: Teacher = Teacher()

    def views(self) -> tuple[View, ...]:
        """The augmented anchors."""
        return (View("anchor"),)

    def pretrained(self) -> Teacher:
        """The network to learn from."""
        return self.teacher

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Parts ``ce`` and ``kd``."""
        images = batch.views["anchor"]
        logits = forward.student(images).logits
        ce = cross_entropy(logits, batch.labels)
        kd = softened_kl(logits, forward.pretrained(images).logits, values["temperature"])
        if self.alpha is None:
            total = ce + values["lambda_kd"] * kd
        else:
            total = (1 - values["alpha"]) * ce + values["alpha"] * kd
        return LossTerms(total, {"ce": ce, "kd": kd}, logits)
