"""Free memory of a device, and copies between host and device."""

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

PINNED_LIMIT = 256 << 20  # bytes of one buffer; torch keeps page-locked memory, and no other process can use it


def free_bytes(device: torch.device) -> int:
    """Free memory of the device for this process in bytes; ``sys.maxsize`` on a CPU, whose memory is paged."""
    if device.type != "cuda":
        return sys.maxsize
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def host_buffer(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Allocates host memory for copies to or from a device.

    For a GPU it is page-locked up to ``PINNED_LIMIT`` bytes, so that copies are asynchronous. Torch reuses the memory
    after the last copy has ended.
    """
    pinned = device.type == "cuda" and math.prod(shape) * dtype.itemsize <= PINNED_LIMIT
    with torch.inference_mode(mode=False):  # another thread may fill it, outside inference mode
        return torch.empty(shape, dtype=dtype, pin_memory=pinned)


def to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Converts tensors to arrays; tensors on a GPU are copied, with a single wait for all copies."""
    copies = {name: _to_host(tensor) for name, tensor in tensors.items()}
    if any(tensor.device.type == "cuda" for tensor in tensors.values()):
        torch.cuda.current_stream().synchronize()
    return {name: copy.numpy() for name, copy in copies.items()}


def _to_host(tensor: Tensor) -> Tensor:
    if tensor.device.type != "cuda":
        return tensor
    return host_buffer(tuple(tensor.shape), tensor.dtype, tensor.device).copy_(tensor, non_blocking=True)
