"""Cross-entropy with a virtual class more in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.interfaces import LossTerms, Method, View
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.virtual_logit import virtual_logit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from trainables.interfaces import Batch, Forward


class VirtualSoftmax(Method):
    r"""Adds a class in training that is as near to each feature as its label's weight is long: margins grow.

    * Paper: Chen et al., Virtual class enhanced discriminative embedding learning, NeurIPS 2018, section 3.2.
    * Loss: :math:`CE([z, \|W_y\| \|f\|], y)` over C + 1 logits; evaluation uses the C.
    * Hyperparameters: none. ``clip`` limits the virtual logit to [0.0001, 50], as one public implementation does.
    * Cost: that of cross-entropy. The last layer has no bias.
    """

    clip: bool = False

    def views(self) -> tuple[View, ...]:
        """The augmented anchors."""
        return (View("anchor"),)

    def head(self, width: int, num_classes: int) -> nn.Module:
        """A linear layer without bias."""
        from torch import nn

        return nn.Linear(width, num_classes, bias=False)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:  # noqa: ARG002
        """Part ``ce``, over one class more, which is the whole loss."""
        import torch

        outputs = forward.student(batch.views["anchor"])
        virtual = virtual_logit(outputs.features, forward.classifier.weight, batch.labels)  # type: ignore[arg-type]
        virtual = virtual.clamp(1e-4, 50.0) if self.clip else virtual
        ce = cross_entropy(torch.cat([outputs.logits, virtual[:, None]], dim=1), batch.labels)
        return LossTerms(ce, {"ce": ce}, outputs.logits)
