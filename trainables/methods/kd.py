"""Knowledge distillation from a trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

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
    * Loss: ``additive`` :math:`CE(z, y) + \lambda_{KD} KD_T(z, t)`; ``convex`` :math:`(1 - \alpha) CE(z, y) + \alpha
      KD_T(z, t)`. The teacher is in evaluation mode and fixed.
    * Hyperparameters: ``temperature`` 4, ``lambda_kd`` 1, ``alpha`` 0.9 (convex only); the CS-KD paper prints none.
    * Cost: cross-entropy and a forward pass of the teacher.
    """

    temperature: float = Field(default=4.0, gt=0)
    lambda_kd: float = Field(default=1.0, ge=0)
    form: Literal["additive", "convex"] = "additive"
    alpha: float = Field(default=0.9, ge=0, le=1)
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
        additive = self.form == "additive"
        total = ce + values["lambda_kd"] * kd if additive else (1 - values["alpha"]) * ce + values["alpha"] * kd
        return LossTerms(total, {"ce": ce, "kd": kd}, logits)
