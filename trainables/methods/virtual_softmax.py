"""Cross-entropy with an additional virtual class in training (virtual softmax)."""

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
    r"""Cross-entropy with a virtual class whose weight points along each feature, which enlarges the margins.

    * Paper: Chen et al., Virtual class enhanced discriminative embedding learning, NeurIPS 2018, section 3.2.
    * Loss: :math:`CE([z, \|W_y\| \|f\|], y)` over :math:`C + 1` logits, where :math:`f` are the features and
      :math:`W_y` is the weight of the label. Evaluation uses the first :math:`C` logits.
    * Hyperparameters: none to search.
    * Cost: that of cross-entropy. The last layer has no bias.

    Attributes:
        clip: Whether the virtual logit is limited to [0.0001, 50], as in one public implementation.
    """

    clip: bool = False

    def views(self) -> tuple[View, ...]:
        """Augmented anchors."""
        return (View("anchor"),)

    def head(self, width: int, num_classes: int) -> nn.Module:
        """Linear layer without bias."""
        from torch import nn

        return nn.Linear(width, num_classes, bias=False)

    def loss_terms(self, forward: Forward, batch: Batch, values: Mapping[str, Tensor]) -> LossTerms:  # noqa: ARG002
        """Loss with the part ``ce``, the cross-entropy over C + 1 classes, which is the total."""
        import torch

        outputs = forward.student(batch.views["anchor"])
        virtual = virtual_logit(outputs.features, forward.classifier.weight, batch.labels)  # type: ignore[arg-type]
        virtual = virtual.clamp(1e-4, 50.0) if self.clip else virtual
        ce = cross_entropy(torch.cat([outputs.logits, virtual[:, None]], dim=1), batch.labels)
        return LossTerms(ce, {"ce": ce}, outputs.logits)
