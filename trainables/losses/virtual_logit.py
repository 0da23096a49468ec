"""Logit of the class that virtual softmax adds in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.losses.precision import at_least_float32

if TYPE_CHECKING:
    from torch import Tensor


def virtual_logit(features: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    r"""Logit of a virtual class whose weight has the direction of the features and the norm of the label's weight.

    .. math:: \| W_{y_i} \| \, \| f_i \|

    Args:
        features: Features :math:`f` ``[n, width]``.
        weight: Weight :math:`W` ``[classes, width]`` of the last layer, which has no bias.
        labels: Labels, int64 ``[n]`` in ``[0, classes)``.

    Returns:
        Logits ``[n]`` >= 0, in float32, or in float64 for float64 features. Gradients flow through both norms (Chen et
        al., NeurIPS 2018, section 3.2).

    Example:
        >>> import torch
        >>> virtual_logit(torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
        tensor([10.])
    """
    label_weights = at_least_float32(weight)[labels]
    product: Tensor = label_weights.norm(dim=1) * at_least_float32(features).norm(dim=1)
    return product
