"""Last layer whose logits are cosines times a scale."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CosineHead(nn.Module):
    """Cosines between features and class weights, without bias; always in float32.

    The scale is a buffer: it is saved with the weights and has no gradient. The method updates it.

    Args:
        width: Width of the features.
        num_classes: Number of classes.
        scale: Initial scale, greater than 0.
        scaled: Whether the logits in evaluation mode are multiplied by the scale. In train mode they never are.
    """

    scale: Tensor

    def __init__(self, width: int, num_classes: int, scale: float, *, scaled: bool) -> None:
        super().__init__()
        self.in_features = width
        self.weight = nn.Parameter(torch.empty(num_classes, width))
        nn.init.xavier_uniform_(self.weight)
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))
        self._scaled = scaled

    def cosines(self, features: Tensor) -> Tensor:
        """Cosines ``[n, num_classes]`` in [-1, 1] from features ``[n, width]``."""
        with torch.autocast(features.device.type, enabled=False):
            directions = functional.normalize(features.to(self.weight.dtype))
            return functional.linear(directions, functional.normalize(self.weight))

    def forward(self, features: Tensor) -> Tensor:
        """Logits ``[n, num_classes]`` from features ``[n, width]``; in train mode the cosines."""
        cosines = self.cosines(features)
        return self.scale * cosines if self._scaled and not self.training else cosines
