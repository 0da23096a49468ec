"""Floating-point precision of losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def at_least_float32(values: Tensor) -> Tensor:
    """Converts 16-bit values to float32, because ``exp`` of a logit overflows them; float32 and float64 stay unchanged.

    Args:
        values: Floating-point tensor of any shape.

    Example:
        >>> import torch
        >>> at_least_float32(torch.zeros(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return values.float() if values.dtype.itemsize < 4 else values
