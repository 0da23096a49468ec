"""Decides when a driver stops its runs so that they can be resumed later."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.machine.signals import StopSignals
    from study.phases.limits import Limits


class Stopping:
    """Reports whether to stop: after a signal, or when the hours of the budget are used up.

    Args:
        signals: Stop signals of the process.
        limits: Limits of the study, among them its hours.
    """

    def __init__(self, signals: StopSignals, limits: Limits) -> None:
        self._signals = signals
        self._limits = limits
        self._out_of_hours = False

    def __call__(self) -> bool:
        """Whether to stop; asks Ray Tune once to end its run when the hours are used up."""
        if self._signals.received is None and self._limits.expired() and not self._out_of_hours:
            self._out_of_hours = True
            self._signals.end_run()
        return self._out_of_hours or self._signals.received is not None
