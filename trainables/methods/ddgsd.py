"""Data-distortion guided self-distillation (DDGSD)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from trainables.interfaces import LossTerms, Method, Outputs, View
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.feature_distance import distance_of_means
from trainables.losses.softened_kl import softened_kl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from trainables.interfaces import Batch, Forward


class Ddgsd(Method):
    r"""Matches predictions and mean features of two augmentations of the same images (DDGSD).

    * Paper: Xu and Liu, Data-distortion guided self-distillation for deep neural networks, AAAI 2019.
    * Loss: :math:`CE(z_a, y) + CE(z_b, y) + \lambda_{KL} [KD_T(z_a, z_b) + KD_T(z_b, z_a)] + \mu \|\bar f_a -
      \bar f_b\|^2`, where :math:`z_a` and :math:`z_b` are the logits of the two views and :math:`\bar f` the mean
      features of the batch. The targets of :math:`KD_T` are constants.
    * Hyperparameters: ``temperature`` > 0, ``lambda_kl`` >= 0, ``mu`` >= 0. Implementations that follow the paper use
      3, 1 and 0.0005; one uses ``mu`` 0.005. They differ in ``average_ce``, ``target_gradient`` and ``joint_forward``.
    * Cost: twice that of cross-entropy.

    Attributes:
        temperature: Temperature of the softened predictions.
        lambda_kl: Weight of the distillation terms between the two views.
        mu: Weight of the squared distance between the mean features of the two views.
        average_ce: Whether the cross-entropies of the two views are averaged instead of added.
        target_gradient: Whether the gradient also flows into the targets of the distillation terms.
        joint_forward: Whether one forward pass holds both views, which then share their batch-norm statistics.
    """

    temperature: float = Field(default=3.0, gt=0)
    lambda_kl: float = Field(default=1.0, ge=0)
    mu: float = Field(default=5e-4, ge=0)
    average_ce: bool = False
    target_gradient: bool = False
    joint_forward: bool = False

    def views(self) -> tuple[View, ...]:
        """Anchors under two independent augmentations."""
        return (View("anchor"), View("other"))

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Loss with the parts ``ce`` (of both views), ``kl`` (in both directions) and ``mmd``."""
        one, other = self._passes(forward, batch.views["anchor"], batch.views["other"])
        ce = cross_entropy(one.logits, batch.labels) + cross_entropy(other.logits, batch.labels)
        ce = ce / 2 if self.average_ce else ce
        kl = self._kl(one, other, values["temperature"]) + self._kl(other, one, values["temperature"])
        mmd = distance_of_means(one.features, other.features)
        total = ce + values["lambda_kl"] * kl + values["mu"] * mmd
        return LossTerms(total, {"ce": ce, "kl": kl, "mmd": mmd}, one.logits)

    def _kl(self, student: Outputs, teacher: Outputs, temperature: Tensor) -> Tensor:
        return softened_kl(student.logits, teacher.logits, temperature, teacher_gradient=self.target_gradient)

    def _passes(self, forward: Forward, one: Tensor, other: Tensor) -> tuple[Outputs, Outputs]:
        if not self.joint_forward:
            return forward.student(one), forward.student(other)
        import torch

        both = forward.student(torch.cat([one, other]))
        logits, features = both.logits.chunk(2), both.features.chunk(2)
        return Outputs(logits[0], features[0]), Outputs(logits[1], features[1])
