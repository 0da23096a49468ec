"""Cross-entropy on mixtures of images (mixup)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.mixed import mixed, mixed_cross_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from trainables.interfaces import Batch, Forward


class Mixup(Method):
    r"""Trains on mixtures of two images with the mixture of their labels.

    * Paper: Zhang et al., mixup: Beyond empirical risk minimization, ICLR 2018, section 2.
    * Loss: :math:`\lambda CE(z, y) + (1 - \lambda) CE(z, y_\pi)`, where :math:`z` are the logits of :math:`\lambda x +
      (1 - \lambda) x_\pi`. Each batch has one :math:`\lambda \sim Beta(\alpha, \alpha)` and one random permutation
      :math:`\pi`. Images are mixed after augmentation and normalisation.
    * Hyperparameters: ``alpha`` > 0, 1 in the authors' code for CIFAR, 0.2 in the paper for ImageNet. The CS-KD paper
      prints no value.
    * Cost: that of cross-entropy. No training error is reported, because all training images are mixed.

    Attributes:
        alpha: Parameter of the Beta distribution of the mixing share; 1 is uniform, small values mix little.
    """

    alpha: float = Field(default=1.0, gt=0)

    def views(self) -> tuple[View, ...]:
        """Augmented anchors."""
        return (View("anchor"),)

    def mixing_alpha(self) -> float:
        """Option ``alpha``."""
        return self.alpha

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:  # noqa: ARG002
        """Loss with the part ``ce``, the cross-entropy with the mixed labels, which is the total."""
        assert batch.mixing is not None  # noqa: S101 - mixing_alpha() declares it
        logits = forward.student(mixed(batch.views["anchor"], batch.mixing)).logits
        ce = mixed_cross_entropy(logits, batch.labels, batch.mixing)
        return LossTerms(ce, {"ce": ce}, None)
