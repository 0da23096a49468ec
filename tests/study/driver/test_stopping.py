"""When a driver stops: by a signal, or because the hours are over, of which Ray's run is told once."""

import signal
from types import SimpleNamespace

import pytest

from study.driver.stopping import Stopping


@pytest.fixture
def world() -> SimpleNamespace:
    """Signals and limits as a driver has them, and how often Ray's run was told to end."""
    made = SimpleNamespace(told=[], over=False)
    made.signals = SimpleNamespace(received=None, end_run=lambda: made.told.append(1))
    made.limits = SimpleNamespace(expired=lambda: made.over)
    return made


def test_the_end_of_the_hours_is_told_once(world: SimpleNamespace) -> None:
    stopping = Stopping(world.signals, world.limits)
    assert not stopping()
    world.over = True
    assert [stopping(), stopping()] == [True, True]
    assert world.told == [1]


def test_a_signal_stops_without_a_word_to_ray_which_has_it_too(world: SimpleNamespace) -> None:
    world.signals.received, world.over = signal.SIGINT, True
    assert Stopping(world.signals, world.limits)()
    assert world.told == []
