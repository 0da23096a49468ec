"""Where a run computes and in which arithmetic."""

from __future__ import annotations

import torch

from trainables.errors import ConfigError

TENSOR_CORES_FOR_FLOAT16 = (7, 0)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(wanted: str) -> torch.device:
    """The device of a run: ``auto`` takes a GPU where there is one.

    Raises:
        ConfigError: A GPU is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device is cuda, but torch sees no GPU; use device: auto or cpu")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """Arithmetic of the network.

    ``auto`` is float32 on a CPU, so that results do not depend on which CPU of a cluster a trial meets, even where
    bfloat16 is the quicker. On a GPU it is bfloat16, on one without that float16, on one without either float32.

    Raises:
        ConfigError: A 16-bit arithmetic is asked for that the device only emulates, tens of times slower.
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
    """Whether the device computes bfloat16 itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions do not tell
    return capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)


def _best_of_gpu(device: torch.device) -> torch.dtype:
    if has_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if torch.cuda.get_device_capability(device) >= TENSOR_CORES_FOR_FLOAT16 else torch.float32


def _kind(device: torch.device) -> str:
    return "GPU" if device.type == "cuda" else "CPU"
