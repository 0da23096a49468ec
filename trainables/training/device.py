"""Chooses the device and the floating-point precision of a run."""

from __future__ import annotations

import torch

from trainables.errors import ConfigError

TENSOR_CORES_FOR_FLOAT16 = (7, 0)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(wanted: str) -> torch.device:
    """Device of a run; ``auto`` means a GPU if there is one, else the CPU.

    Args:
        wanted: ``training.device``: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: ``cuda`` is requested and torch finds no GPU.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device is cuda, but torch sees no GPU; use device: auto or cpu")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """Floating-point type of the network's arithmetic.

    ``auto`` is float32 on a CPU, even if bfloat16 is faster, so that results do not depend on the CPU model of a
    node. On a GPU it is the first of bfloat16, float16 (compute capability 7.0 or higher) and float32 that the GPU
    supports.

    Args:
        wanted: ``training.precision``: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        device: Device of the run.

    Raises:
        ConfigError: The device only emulates the requested 16-bit type, which is tens of times slower.
    """
    if wanted == "auto":
        return _best_of_gpu(device) if device.type == "cuda" else torch.float32
    if wanted == "bfloat16" and not has_bfloat16(device):
        raise ConfigError(
            f"training.precision is bfloat16, which this {_kind(device)} emulates very slowly; use auto or float32"
        )
    if wanted == "float16" and device.type == "cpu":
        raise ConfigError("training.precision is float16, which a CPU emulates very slowly; use auto or float32")
    return PRECISIONS[wanted]


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device supports bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # missing in older versions of torch
    return capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)


def _best_of_gpu(device: torch.device) -> torch.dtype:
    if has_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if torch.cuda.get_device_capability(device) >= TENSOR_CORES_FOR_FLOAT16 else torch.float32


def _kind(device: torch.device) -> str:
    return "GPU" if device.type == "cuda" else "CPU"
