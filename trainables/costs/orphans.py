"""Ends processes whose parent is gone: what a killed process has started would live on, and keep its memory."""

from __future__ import annotations

import multiprocessing
import os
from threading import Thread


def end_with_parent() -> None:
    """Ends this process with the one that started it, however that ends; an initializer of spawned processes."""
    Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:  # somebody called this in a process that multiprocessing did not start
        parent.join()
        os._exit(1)
