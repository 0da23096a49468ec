"""Concurrent runs: the choice of their number, with given rates; the measurement, with real processes."""

from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from threading import BrokenBarrierError

import pytest

from tests.kit.inputs.training import small_config
from trainables.costs import side_by_side
from trainables.costs.probe import Rate
from trainables.costs.side_by_side import Packing, Trained
from trainables.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("rates", "best"),
    [
        ((1.0,), 1),
        ((1.0, 1.04), 1),  # noise
        ((1.0, 1.5, 1.55), 2),
        ((1.0, 1.5, 1.6, 1.62), 3),
        ((1.0, 0.9), 1),
    ],
)
def test_the_best_number_is_the_smallest_with_the_highest_throughput(rates: tuple[float, ...], best: int) -> None:
    found = Packing("a GPU", rates, 1, 1)
    assert (found.best, found.speedup) == (best, rates[best - 1])


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Imitates a device with a given throughput for one run, two, …; returns the numbers that were tried."""

    def prepare(*rates: float | Exception, peak: int = 1, memory: int = 100) -> list[int]:
        tried: list[int] = []

        def together(_config: object, count: int, _seconds: float) -> list[Trained]:
            tried.append(count)
            rate = rates[count - 1]
            if isinstance(rate, Exception):
                raise rate
            each = Rate("a GPU", 0.1, 1.0, 0.1, 1.0, peak, memory, 64, 32, 64)
            return count * [Trained(each, rate / count, 1000 + count)]

        monkeypatch.setattr(side_by_side, "together", together)
        return tried

    return prepare


def test_the_measurement_ends_with_the_first_number_without_a_gain(device: Callable) -> None:
    tried = device(2.0, 3.0, 3.9, 4.0, 9.0)
    found = side_by_side.measure(small_config())
    assert (tried, found.best, found.host_bytes) == ([1, 2, 3, 4], 3, 1004)


@pytest.mark.parametrize(
    ("most", "peak", "tried"),
    [(2, 1, [1, 2]), (8, 31, [1, 2]), (8, 46, [1]), (8, 1000, [1])],  # runs may use 90 of 100 bytes
)
def test_the_number_of_runs_is_limited_by_cores_and_memory(device: Callable, most: int, peak: int, tried: list) -> None:
    assert device(1.0, 2.0, 3.0, 4.0, peak=peak) == []
    found = side_by_side.measure(small_config(), most)
    assert found.best == len(tried)


@pytest.mark.parametrize("error", [ConfigError("no memory"), BrokenProcessPool("killed"), BrokenBarrierError()])
def test_the_measurement_ends_if_memory_is_insufficient(device: Callable, error: Exception) -> None:
    tried = device(1.0, 1.9, error)
    assert side_by_side.measure(small_config()).epochs_per_second == (1.0, 1.9)
    assert tried == [1, 2, 3]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConfigError("no memory"), "no memory"),
        (BrokenProcessPool("killed"), "was killed during the measurement, probably"),
    ],
)
def test_a_single_run_that_does_not_fit_into_memory_is_refused(
    device: Callable, error: Exception, message: str
) -> None:
    device(error)
    with pytest.raises(ConfigError, match=message):
        side_by_side.measure(small_config())


@pytest.mark.slow
def test_real_runs_train_at_the_same_time_in_separate_processes() -> None:
    found = side_by_side.together(small_config(), 2, 0.3)
    assert len(found) == 2
    for run in found:
        assert run.epochs_per_second > 0
        assert run.host_bytes > 100 << 20  # torch alone needs more


@pytest.mark.slow
def test_a_run_that_fails_frees_the_others(tmp_path) -> None:
    config = small_config(
        model={"name": "preact_resnet10", "width": 4}, dataset={"name": "cifar100", "root": str(tmp_path)}
    )
    with pytest.raises(DataError, match="cskd data prepare cifar100"):
        side_by_side.together(config, 2, 0.3)
