"""Ends what a killed test process leaves behind: servers, drivers and Ray's processes.

``start()`` marks this process's environment, which every descendant inherits, and starts a process that waits until
this one has ended and then kills all processes with the mark.
"""

import contextlib
import os
import signal
import sys
import time
import uuid
from pathlib import Path

VARIABLE = "CSKD_TEST_PROCESS"
PERIOD_SECONDS = 1.0
ROUNDS = 3  # a process that is killed may have started another


def start() -> None:
    """Starts the guardian of this process."""
    os.environ[VARIABLE] = uuid.uuid4().hex
    command = [sys.executable, "-S", __file__, str(os.getpid()), os.environ[VARIABLE]]
    os.posix_spawn(sys.executable, command, os.environ, setsid=True)


def guard(pid: int, mark: str) -> None:
    """Waits until process ``pid`` has ended, then kills every process that inherited ``mark``."""
    while os.getppid() == pid:
        time.sleep(PERIOD_SECONDS)
    needle = f"{VARIABLE}={mark}".encode()
    for _ in range(ROUNDS):
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended, or belongs to another user
                if process.name != str(os.getpid()) and needle in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
        time.sleep(PERIOD_SECONDS / 5)


if __name__ == "__main__":
    guard(int(sys.argv[1]), sys.argv[2])
