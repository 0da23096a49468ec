"""CS-KD on mixtures of images (mixup + CS-KD)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.mixed import mixed, mixed_cross_entropy
from trainables.losses.softened_kl import softened_kl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from trainables.interfaces import Batch, Forward


class MixupCsKd(Method):
    r"""Mixup that matches the softened predictions for two mixtures of images of the same classes (mixup + CS-KD).

    * Paper: Yun et al., CVPR 2020, section 3.2 and table 3.
    * Loss: :math:`CE_{mix} + \lambda_{cls} KD_T(z, z')`, where :math:`CE_{mix}` is the loss of ``mixup`` and :math:`z`
      and :math:`z'` are the logits of the mixed anchors and the mixed partners. Anchors and partners are mixed with the
      same share and the same permutation. The paper does not say so, but only then do both mixtures have the same
      labels.
    * Hyperparameters: ``alpha`` > 0, ``temperature`` > 0, ``lambda_cls`` >= 0. The paper prints no values for the
      combination.
    * Cost: about 1.33 times cross-entropy. No training error is reported, because all training images are mixed.

    Attributes:
        alpha: Parameter of the Beta distribution of the mixing share; 1 is uniform, small values mix little.
        temperature: Temperature of the softened predictions.
        lambda_cls: Weight of the class-wise term.
        partner_may_equal_anchor: Whether an anchor can be drawn as its own partner, with another augmentation.
    """

    alpha: float = Field(default=1.0, gt=0)
    temperature: float = Field(default=4.0, gt=0)
    lambda_cls: float = Field(default=1.0, ge=0)
    partner_may_equal_anchor: bool = True

    def views(self) -> tuple[View, ...]:
        """Augmented anchors and augmented partners."""
        partner = View("partner", "partner" if self.partner_may_equal_anchor else "other_partner")
        return (View("anchor"), partner)

    def mixing_alpha(self) -> float:
        """Option ``alpha``."""
        return self.alpha

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Loss with the parts ``ce``, the cross-entropy with the mixed labels, and ``cls``."""
        assert batch.mixing is not None  # noqa: S101 - mixing_alpha() declares it
        logits = forward.student(mixed(batch.views["anchor"], batch.mixing)).logits
        ce = mixed_cross_entropy(logits, batch.labels, batch.mixing)
        partner = forward.teacher(mixed(batch.views["partner"], batch.mixing)).logits
        cls = softened_kl(logits, partner, values["temperature"])
        return LossTerms(ce + values["lambda_cls"] * cls, {"ce": ce, "cls": cls}, None)
