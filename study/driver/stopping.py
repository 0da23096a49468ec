"""Whether the runs of a driver are to stop, to be gone on with later."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.machine.signals import StopSignals
    from study.phases.limits import Limits


class Stopping:
    """Asked by all that waits or hands out runs: true by a signal, or because the hours are over.

    Args:
        signals: Those that the user sends.
        limits: Hours among them.
    """

    def __init__(self, signals: StopSignals, limits: Limits) -> None:
        self._signals = signals
        self._limits = limits
        self._told = False

    def __call__(self) -> bool:
        """Whether to stop; when the hours have just ended, Ray's run is told to end, too."""
        if self._signals.received is None and self._limits.expired() and not self._told:
            self._told = True
            self._signals.end_run()
        return self._told or self._signals.received is not None
