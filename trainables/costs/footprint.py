"""Peak memory of a process on its device, and the memory that is available."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from pathlib import Path

import torch

from trainables.batches.residency import free_bytes

STATUS = Path("/proc/self/status")
FORGET_PEAK = Path("/proc/self/clear_refs")
LARGEST_CONTEXT = 1 << 30  # bytes of CUDA and its libraries; memory beyond it belongs to other processes


class Footprint:
    """Memory of this process: on a GPU all of it, on a CPU the growth since this object was created.

    Args:
        device: Device to measure.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = 0 if device.type == "cuda" else _resident("VmRSS")
        self.reset_peak()

    def reset_peak(self) -> None:
        """Resets the peak to the memory that is in use."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        with contextlib.suppress(OSError):  # without it the peak is that of the whole process, an upper bound
            FORGET_PEAK.write_text("5")

    def peak_bytes(self) -> int:
        """Peak in bytes: torch's memory pool and the CUDA context on a GPU, resident memory on a CPU."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_reserved(self._device) + _context_bytes(self._device)
        return max(_resident("VmHWM") - self._before, 0)

    def device_bytes(self) -> int:
        """Memory of the device that is free or used by this process, in bytes; on a CPU all memory of the machine."""
        if self._device.type == "cuda":
            return free_bytes(self._device) + torch.cuda.memory_allocated(self._device) + _context_bytes(self._device)
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def peak_private_bytes() -> int:
    """Peak resident memory of this process in bytes, without memory-mapped files, which processes share.

    This is a lower bound, because more files may be mapped at present than at the peak.
    """
    return max(_resident("VmHWM") - _resident("RssFile"), _resident("RssAnon"))


def _context_bytes(device: torch.device) -> int:
    free, total = torch.cuda.mem_get_info(device)
    return min(max(total - free - torch.cuda.memory_reserved(device), 0), LARGEST_CONTEXT)


def _resident(key: str) -> int:
    """Resident memory in bytes by its key in Linux's status file; on other systems the peak of the process."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines()) if STATUS.exists() else {}
    if key in lines:
        return int(lines[key].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
