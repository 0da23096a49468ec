"""Counts the CPU cores that this process may use."""

from __future__ import annotations


def usable_cores() -> int:
    """Returns the number of cores: the minimum of the machine's, the CPU affinity's and the container's quota."""
    from joblib import cpu_count

    return int(cpu_count())
