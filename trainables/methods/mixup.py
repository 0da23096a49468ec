"""Cross-entropy of mixtures of images."""

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

    * Paper: Zhang et al., mixup: Beyond empirical risk minimization, ICLR 2018.
    * Loss: :math:`\lambda CE(z, y) + (1 - \lambda) CE(z, y_\pi)` with the logits of :math:`\lambda x + (1 - \lambda)
      x_\pi`; one :math:`\lambda \sim Beta(\alpha, \alpha)` and one permutation :math:`\pi` for each batch. Images are
      mixed after augmentation and normalisation.
    * Hyperparameters: ``alpha`` 1 in the authors' code for CIFAR, 0.2 in the paper for ImageNet; the CS-KD paper prints
      none.
    * Cost: that of cross-entropy. There is no training error, for there are no clean images in training.
    """

    alpha: float = Field(default=1.0, gt=0)

    def views(self) -> tuple[View, ...]:
        """The augmented anchors."""
        return (View("anchor"),)

    def mixing_alpha(self) -> float:
        """``alpha``."""
        return self.alpha

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:  # noqa: ARG002
        """Part ``ce``, of the mixed labels, which is the whole loss."""
        assert batch.mixing is not None  # noqa: S101 - declared above
        logits = forward.student(mixed(batch.views["anchor"], batch.mixing)).logits
        ce = mixed_cross_entropy(logits, batch.labels, batch.mixing)
        return LossTerms(ce, {"ce": ce}, None)
