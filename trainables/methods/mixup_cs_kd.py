"""CS-KD on mixtures of images."""

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
    r"""Mixup, with the prediction of a mixture drawn to that of the mixture of other images of the same two classes.

    * Paper: Yun et al., CVPR 2020, section 3.2 and table 3; mixup as in the method of that name.
    * Loss: :math:`CE_{mix} + \lambda_{cls} KD_T(z, z')`. Anchors and partners are mixed with the same share and the
      same permutation, so that both mixtures carry the same labels; the paper does not say so, but nothing else fits.
    * Hyperparameters: ``alpha`` as in mixup, ``temperature`` and ``lambda_cls`` as in CS-KD; the paper prints none of
      them for the combination.
    * Cost: about 1.33 times cross-entropy.
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
        """``alpha``."""
        return self.alpha

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:
        """Parts ``ce``, of the mixed labels, and ``cls``."""
        assert batch.mixing is not None  # noqa: S101 - declared above
        logits = forward.student(mixed(batch.views["anchor"], batch.mixing)).logits
        ce = mixed_cross_entropy(logits, batch.labels, batch.mixing)
        partner = forward.teacher(mixed(batch.views["partner"], batch.mixing)).logits
        cls = softened_kl(logits, partner, values["temperature"])
        return LossTerms(ce + values["lambda_cls"] * cls, {"ce": ce, "cls": cls}, None)
