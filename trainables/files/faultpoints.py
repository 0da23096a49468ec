"""Places at which tests kill the program; they cost one comparison and do nothing unless a fault is armed.

A fault is ``name:hit:action``: at the ``hit``-th visit (from 1) of the point ``name`` the process is killed (``kill``),
stopped (``stop``), or raises an ``OSError`` (``raise``). It is armed by the environment variable ``CSKD_FAULT``, which
workers inherit, or by ``arm``.
"""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass

VARIABLE = "CSKD_FAULT"
POINTS = (
    "durable: written, not renamed",
    "durable: renamed, directory not synced",
    "durable: line appended, not synced",
    "checkpoint: written, without its checksum",
    "run: epoch noted, no checkpoint",
    "run: finished, no outcome",
    "run: outcome written, checkpoints there",
    "objects: checkpoint uploaded, without its checksum",
    "objects: line uploaded",
    "objects: run collected, no outcome",
    "data: piece fetched",
    "data: file in place, not said",
    "store: trial begun",
    "store: told the value, not the state",
    "store: told the state",
    "dispatcher: handed out",
    "dispatcher: attempt counted",
    "limits: cut short",
    "reuse: copied, not in place",
    "reuse: in place, not told",
    "ledger: reading noted",
    "records: a result file written",
    "results: written, no report",
    "mirror: run made, empty",
    "mirror: values written, state not",
)


@dataclass
class _Fault:
    name: str
    hits_left: int
    action: str


_armed: list[_Fault] = []  # at most one


def arm(fault: str | None) -> None:
    """Arms a fault in this process, in place of any other; None disarms.

    Raises:
        ValueError: It is not ``name:hit:action``, or there is no such point or action.
    """
    _armed.clear()
    if fault is None:
        return
    name, hit, action = fault.rsplit(":", 2)
    if name not in POINTS or action not in ("kill", "stop", "raise"):
        raise ValueError(f"{fault}: no such point or action")
    _armed.append(_Fault(name, int(hit), action))


def faultpoint(name: str) -> None:
    """A place where the program may be made to fail; ``name`` is one of ``POINTS``.

    Raises:
        OSError: A fault with the action ``raise`` is armed here.
    """
    if not _armed or _armed[0].name != name:
        return
    _armed[0].hits_left -= 1
    if _armed[0].hits_left == 0:
        _act(_armed[0])


def _act(fault: _Fault) -> None:
    if fault.action == "raise":
        raise OSError(errno.EIO, f"made to fail: {fault.name}")
    os.kill(os.getpid(), signal.SIGKILL if fault.action == "kill" else signal.SIGSTOP)


arm(os.environ.get(VARIABLE))
