"""Handles Ctrl+C and SIGTERM while a study runs."""

from __future__ import annotations

import os
import signal


class StopSignals:
    """Turns Ctrl+C and SIGTERM into a clean stop while a study runs.

    Attributes:
        received: Signal that requested the stop, or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopSignals:
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        self.listen()
        # SIGUSR1 must not end the process before Ray Tune handles it.
        self._before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        return self

    def listen(self) -> None:
        """Installs the handlers; to be called again after Ray's start, because Ray replaces the one for SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _stop(self, number: int, _frame: object) -> None:
        if self.received is not None:
            raise KeyboardInterrupt  # a second signal stops at once
        self.received = signal.Signals(number)
        self.end_run()

    @staticmethod
    def end_run() -> None:
        """Asks Ray Tune to end: it starts no more trials and lets the workers clean up."""
        os.kill(os.getpid(), signal.SIGUSR1)
