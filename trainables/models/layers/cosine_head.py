"""A last layer whose logits are cosines times a scale."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CosineHead(nn.Module):
    """Cosines between features and class weights, without bias; in float32 also where the network is not.

    The scale is a buffer: saved with the weights, not trained, and changed only by whoever trains.

    Args:
        width: Of the features.
        num_classes: Outputs.
        scale: Where the scale starts.
        scaled: Whether evaluation multiplies by the scale. Training gives plain cosines always.
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
        """Cosines ``[n, num_classes]`` of features ``[n, width]``."""
        with torch.autocast(features.device.type, enabled=False):
            directions = functional.normalize(features.to(self.weight.dtype))
            return functional.linear(directions, functional.normalize(self.weight))

    def forward(self, features: Tensor) -> Tensor:
        """Logits ``[n, num_classes]``; in training the cosines."""
        cosines = self.cosines(features)
        return self.scale * cosines if self._scaled and not self.training else cosines
