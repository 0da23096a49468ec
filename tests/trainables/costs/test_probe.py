"""A probe measures the time and memory that a run then takes, and writes no file."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.kit.inputs.training import small_config
from trainables.costs.probe import Rate, peak_at, probe
from trainables.errors import DataError
from trainables.training.run import Run

WIDE = {"name": "preact_resnet10", "width": 16, "input_size": 8}


@pytest.fixture(scope="module")
def rate() -> Rate:
    # In a new process: memory that other tests freed would hide what the probe needs.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(probe, small_config(model=WIDE)).result()


def test_a_rate_has_all_values(rate):
    assert (rate.anchors, rate.validation_images) == (64, 32)
    assert rate.epoch_seconds == rate.training_seconds + rate.evaluation_seconds
    assert rate.step_seconds == pytest.approx(rate.training_seconds * 16 / 64)
    assert 0 < rate.peak_bytes < rate.device_bytes
    assert rate.device


def test_a_run_takes_about_the_time_that_the_probe_measured(rate, tmp_path):
    run = Run(small_config(model=WIDE, epochs=12, checkpoint_seconds=1e9), tmp_path)
    run.advance()
    start = time.perf_counter()
    for _ in range(10):
        run.advance()
    measured = (time.perf_counter() - start) / 10
    assert rate.epoch_seconds / 4 < measured < 4 * rate.epoch_seconds  # other processes run beside the tests


def test_missing_data_is_not_fetched(tmp_path):
    config = small_config(
        model={"name": "preact_resnet10", "width": 4}, dataset={"name": "cifar100", "root": str(tmp_path)}
    )
    with pytest.raises(DataError, match="cskd data prepare cifar100"):
        probe(config)
    assert list(tmp_path.iterdir()) == []


def test_memory_is_extrapolated_from_the_last_two_peaks():
    assert peak_at(128, [(0, 100), (4, 200), (16, 320)]) == 1440
    assert peak_at(16, [(0, 100), (64, 500)]) == 500
