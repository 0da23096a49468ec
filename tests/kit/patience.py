"""Time limits that grow with how slow and how busy the machine is, so that they fail for hanging code only."""

import os
import time
from functools import lru_cache

REFERENCE_SECONDS = 0.03  # for the loop below, on one quiet core of a server of 2022
SAMPLE_SECONDS = 5


def patience(seconds: float) -> float:
    """A limit that a quiet, fast machine meets easily, stretched for this machine.

    Args:
        seconds: The limit on a quiet machine.

    Returns:
        Seconds, at least as many as given.
    """
    return seconds * _slowness(int(time.monotonic() / SAMPLE_SECONDS))


@lru_cache(maxsize=1)
def _slowness(_sample: int) -> float:
    start = time.perf_counter()
    sum(number * number for number in range(400_000))
    slow = (time.perf_counter() - start) / REFERENCE_SECONDS
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    return max(1.0, slow, busy)
