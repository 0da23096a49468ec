"""Keeps a network from a kernel of oneDNN that writes past its buffer.

oneDNN takes the weights' gradient of a strided 1 × 1 convolution of few channels from a buffer that is too small for
channels_last images: on a CPU the heap is corrupted, or the gradient is wrong (uxlfoundation/oneDNN#6035, open in torch
2.13). What the stride would skip is left out beforehand instead, which is the same convolution.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

FEWEST_SAFE_CHANNELS = 16  # oneDNN's block of channels with AVX-512; 8 with AVX2


def without_unsafe_strides(network: nn.Module) -> nn.Module:
    """The network, whose strided 1 × 1 convolutions of few channels get unit stride, and images thinned out for it."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_unsafe(module):
            module.register_forward_pre_hook(partial(_thinned, module.stride), with_kwargs=True)
            module.stride = (1, 1)
    return network


def _is_unsafe(convolution: nn.Conv2d) -> bool:
    few = convolution.in_channels // convolution.groups < FEWEST_SAFE_CHANNELS
    return few and convolution.kernel_size == (1, 1) != convolution.stride and convolution.padding in ((0, 0), "valid")


def _thinned(
    stride: tuple[int, ...], _: nn.Module, given: tuple[Tensor, ...], named: dict[str, Tensor]
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    (images,) = (*given, *named.values())
    return (images[..., :: stride[0], :: stride[1]],), {}
