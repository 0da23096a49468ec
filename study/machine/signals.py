"""Turns Ctrl+C and SIGTERM into a clean stop of a running study."""

from __future__ import annotations

import os
import signal


class StopSignals:
    """Turns Ctrl+C and SIGTERM into a clean stop while a study runs.

    Attributes:
        received: The signal that asked to stop; None when none did.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopSignals:
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        self.listen()
        # Until Ray Tune listens to it, the signal that ends a run must not end the process.
        self._before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        return self

    def listen(self) -> None:
        """Takes the signals; once more after Ray has started, which takes SIGTERM for itself and aborts on it."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _stop(self, number: int, _frame: object) -> None:
        if self.received is not None:
            raise KeyboardInterrupt  # asked twice: at once
        self.received = signal.Signals(number)
        self.end_run()

    @staticmethod
    def end_run() -> None:
        """Ray Tune's own request to end a run: it stops handing out work and asks the workers to clean up."""
        os.kill(os.getpid(), signal.SIGUSR1)
