"""Fault injection for tests: named points at which a process can be killed, stopped or made to fail.

A fault is ``name:hit:action``: at the ``hit``-th visit (from 1) to the point ``name`` the process is killed (``kill``),
stopped (``stop``), or raises an ``OSError`` (``raise``). It is armed by the environment variable ``CSKD_FAULT``, which
workers inherit, or by ``arm``. A point does nothing and costs one comparison unless a fault is armed.
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
    """Arms a fault in this process and disarms any other; None only disarms.

    Raises:
        ValueError: The fault is not ``name:hit:action``, or the point or action does not exist.
    """
    _armed.clear()
    if fault is None:
        return
    name, hit, action = fault.rsplit(":", 2)
    if name not in POINTS or action not in ("kill", "stop", "raise"):
        raise ValueError(f"{fault}: no such point or action")
    _armed.append(_Fault(name, int(hit), action))


def faultpoint(name: str) -> None:
    """Triggers the armed fault if it is at this point; ``name`` is one of ``POINTS``.

    Raises:
        OSError: The armed fault has the action ``raise``.
    """
    if not _armed or _armed[0].name != name:
        return
    _armed[0].hits_left -= 1
    if _armed[0].hits_left == 0:
        _act(_armed[0])


def _act(fault: _Fault) -> None:
    if fault.action == "raise":
        raise OSError(errno.EIO, f"injected fault: {fault.name}")
    os.kill(os.getpid(), signal.SIGKILL if fault.action == "kill" else signal.SIGSTOP)


arm(os.environ.get(VARIABLE))
