"""What fits on a device, and the way back from it."""

from __future__ import annotations

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


def fetched(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Tensors as arrays; where they lie on a GPU, copies of them after one wait."""
    places = {name: _to_host(tensor) for name, tensor in tensors.items()}
    if any(tensor.device.type == "cuda" for tensor in tensors.values()):
        torch.cuda.current_stream().synchronize()
    return {name: place.numpy() for name, place in places.items()}


def _to_host(tensor: Tensor) -> Tensor:
    if tensor.device.type != "cuda" or tensor.nbytes > PINNED_LIMIT:
        return tensor.cpu()
    return torch.empty_like(tensor, device="cpu", pin_memory=True).copy_(tensor, non_blocking=True)
