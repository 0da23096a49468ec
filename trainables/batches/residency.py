"""What fits on a device, and the way there and back."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

PINNED_LIMIT = 256 << 20  # bytes of one buffer; page-locked memory is lost to everybody else, and torch keeps it


def free_bytes(device: torch.device) -> int:
    """Bytes that the device can still give to this process; a CPU's memory is paged, so there is no bound."""
    if device.type != "cuda":
        return sys.maxsize
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def landing(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Fresh memory of the host for what goes to a device or comes from it; such copies need not wait for a GPU.

    For a GPU it is page-locked up to ``PINNED_LIMIT``. Torch gives it out again when the last copy has ended.
    """
    pinned = device.type == "cuda" and math.prod(shape) * dtype.itemsize <= PINNED_LIMIT
    with torch.inference_mode(mode=False):  # a thread of its own, to which the mode does not extend, may fill it
        return torch.empty(shape, dtype=dtype, pin_memory=pinned)


def fetched(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Tensors as arrays; where they lie on a GPU, copies of them after one wait."""
    places = {name: _to_host(tensor) for name, tensor in tensors.items()}
    if any(tensor.device.type == "cuda" for tensor in tensors.values()):
        torch.cuda.current_stream().synchronize()
    return {name: place.numpy() for name, place in places.items()}


def _to_host(tensor: Tensor) -> Tensor:
    if tensor.device.type != "cuda":
        return tensor
    return landing(tuple(tensor.shape), tensor.dtype, tensor.device).copy_(tensor, non_blocking=True)
