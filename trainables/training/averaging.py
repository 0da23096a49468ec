"""A copy of a network whose weights follow it step by step, as an exponential moving average."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


class AveragedCopy:
    """The teacher of a method that declares ``averaging``.

    Only its parameters follow. In train mode batch norm takes the statistics of each batch, and its running ones are
    those of the copy's own passes.

    * Paper: Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017, equation 2.

    Args:
        source: The network that is followed; stays as it is.

    Attributes:
        model: The copy, in train mode, without gradients.
    """

    def __init__(self, source: nn.Module) -> None:
        self._source = source
        self.model = copy.deepcopy(source).train().requires_grad_(False)

    @torch.no_grad()
    def begin(self) -> None:
        """Makes it equal to the network, in place."""
        for kind in ("parameters", "buffers"):
            for own, value in zip(getattr(self.model, kind)(), getattr(self._source, kind)(), strict=True):
                own.copy_(value)

    @torch.no_grad()
    def follow(self, kept: Tensor) -> None:
        """One step: each weight becomes ``kept`` times itself and ``1 - kept`` times the network's.

        Args:
            kept: Scalar in [0, 1), on the device; nothing waits for it.
        """
        own: list[Tensor] = list(self.model.parameters())
        way = torch._foreach_sub([*self._source.parameters()], own)
        torch._foreach_mul_(way, 1 - kept)
        torch._foreach_add_(own, way)
