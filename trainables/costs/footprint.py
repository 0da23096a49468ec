"""Memory that work takes on its device: the most since a moment, and all that there is."""

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
LARGEST_CONTEXT = 1 << 30  # of CUDA and its libraries; what is taken beyond it belongs to other processes


class Footprint:
    """What is taken from now on: on a GPU by this process in all, on a CPU by how much the process has grown.

    Args:
        device: Where the work is done.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = 0 if device.type == "cuda" else _resident("VmRSS")
        self.forget_peak()

    def forget_peak(self) -> None:
        """Measures the peak anew from now on; what is in use stays counted."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        with contextlib.suppress(OSError):  # then the peak is that of the whole process, which only can be larger
            FORGET_PEAK.write_text("5")

    def peak_bytes(self) -> int:
        """The most that was taken at once: torch's pool and the context of CUDA, or resident memory."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_reserved(self._device) + _context_bytes(self._device)
        return max(_resident("VmHWM") - self._before, 0)

    def device_bytes(self) -> int:
        """What processes of ours can have of the device: what is free, and what this one has."""
        if self._device.type == "cuda":
            return free_bytes(self._device) + torch.cuda.memory_allocated(self._device) + _context_bytes(self._device)
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def most_own_bytes() -> int:
    """The most memory that this process had of the machine, without files that it maps: others map them, too.

    A lower bound: what it maps now may be more than what it mapped at its peak.
    """
    return max(_resident("VmHWM") - _resident("RssFile"), _resident("RssAnon"))


def _context_bytes(device: torch.device) -> int:
    free, total = torch.cuda.mem_get_info(device)
    return min(max(total - free - torch.cuda.memory_reserved(device), 0), LARGEST_CONTEXT)


def _resident(key: str) -> int:
    """Resident memory by its name in Linux's status file; where it is not told, the peak of the process."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines()) if STATUS.exists() else {}
    if key in lines:
        return int(lines[key].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
