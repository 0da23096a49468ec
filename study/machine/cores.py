"""Counts the CPU cores that this process may use."""

from __future__ import annotations


def usable_cores() -> int:
    """Cores that this process may use: of the machine, its affinity and its container's quota the fewest."""
    from joblib import cpu_count

    return int(cpu_count())
