"""Ends child processes whose parent has ended, because they would keep running and hold their memory."""

from __future__ import annotations

import multiprocessing
import os
from threading import Thread


def end_with_parent() -> None:
    """Ends this process when its parent ends, for any reason; use it as initializer of spawned processes."""
    Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:  # None in a process that multiprocessing did not start
        parent.join()
        os._exit(1)
