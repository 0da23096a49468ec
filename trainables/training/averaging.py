"""A copy of a network whose weights are an exponential moving average (EMA) of the network's weights."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


class AveragedCopy:
    """Mean teacher of a method that declares ``averaging``: a copy of the network with averaged weights.

    Only parameters are averaged. The copy is in train mode: its batch norm uses the statistics of each batch, and its
    running statistics come from its own forward passes.

    * Paper: Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017, equation 2.

    Args:
        source: Network whose weights are averaged; it is not changed.

    Attributes:
        model: Copy of the network, in train mode, without gradients.
    """

    def __init__(self, source: nn.Module) -> None:
        self._source = source
        self.model = copy.deepcopy(source).train().requires_grad_(False)

    @torch.no_grad()
    def reset(self) -> None:
        """Copies the network's parameters and buffers, in place."""
        for kind in ("parameters", "buffers"):
            for own, value in zip(getattr(self.model, kind)(), getattr(self._source, kind)(), strict=True):
                own.copy_(value)

    @torch.no_grad()
    def update(self, decay: Tensor) -> None:
        """Averages one step: each weight becomes ``decay`` times itself plus ``1 - decay`` times the network's.

        Args:
            decay: Scalar in [0, 1) on the device; it is not copied to the host.
        """
        averages: list[Tensor] = list(self.model.parameters())
        change = torch._foreach_sub([*self._source.parameters()], averages)
        torch._foreach_mul_(change, 1 - decay)
        torch._foreach_add_(averages, change)
