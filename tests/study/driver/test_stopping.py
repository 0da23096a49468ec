"""A driver stops after a signal or when its hours are used up; then it ends Ray's run once."""

import signal
from types import SimpleNamespace

import pytest

from study.driver.stopping import Stopping


@pytest.fixture
def driver() -> SimpleNamespace:
    """Signals and limits of a driver, and the calls that end Ray's run."""
    made = SimpleNamespace(ended=[], over=False)
    made.signals = SimpleNamespace(received=None, end_run=lambda: made.ended.append(1))
    made.limits = SimpleNamespace(expired=lambda: made.over)
    return made


def test_the_end_of_the_hours_ends_rays_run_once(driver: SimpleNamespace) -> None:
    stopping = Stopping(driver.signals, driver.limits)
    assert not stopping()
    driver.over = True
    assert [stopping(), stopping()] == [True, True]
    assert driver.ended == [1]


def test_a_signal_stops_without_ending_rays_run_which_receives_it_too(driver: SimpleNamespace) -> None:
    driver.signals.received, driver.over = signal.SIGINT, True
    assert Stopping(driver.signals, driver.limits)()
    assert driver.ended == []
