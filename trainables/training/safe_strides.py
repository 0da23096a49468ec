"""Works around a oneDNN kernel that writes past its buffer.

For channels_last images on a CPU, oneDNN computes the weight gradient of a strided 1 × 1 convolution with few input
channels in a buffer that is too small: the heap is corrupted or the gradient is wrong (uxlfoundation/oneDNN#6035, open
in torch 2.13). Subsampling the images before a convolution with unit stride gives the same result.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

FEWEST_SAFE_CHANNELS = 16  # oneDNN's channel block with AVX-512; 8 with AVX2


def without_unsafe_strides(network: nn.Module) -> nn.Module:
    """Replaces strides of the network's 1 × 1 convolutions with few channels by subsampling their input, in place."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_unsafe(module):
            module.register_forward_pre_hook(partial(_subsampled, module.stride), with_kwargs=True)
            module.stride = (1, 1)
    return network


def _is_unsafe(convolution: nn.Conv2d) -> bool:
    few = convolution.in_channels // convolution.groups < FEWEST_SAFE_CHANNELS
    return few and convolution.kernel_size == (1, 1) != convolution.stride and convolution.padding in ((0, 0), "valid")


def _subsampled(
    stride: tuple[int, ...], _: nn.Module, given: tuple[Tensor, ...], named: dict[str, Tensor]
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    (images,) = (*given, *named.values())
    return (images[..., :: stride[0], :: stride[1]],), {}
