"""Measures how many runs should share a device: trains several at once, each in its own process."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from threading import BrokenBarrierError
from typing import TYPE_CHECKING

import torch

from trainables.costs import probe
from trainables.costs.footprint import peak_private_bytes
from trainables.costs.orphans import end_with_parent
from trainables.errors import ConfigError

if TYPE_CHECKING:
    from threading import Barrier

    from trainables.config import TrainConfig

SECONDS = 4.0  # duration of concurrent training for each number of processes
PATIENCE_SECONDS = 600.0  # limit until the slowest process trains at full speed
GAIN = 1.05  # minimum speedup by one more run; less is noise and costs memory
MEMORY_SHARE = 0.9  # fraction of a device's memory for the runs that share it
MOST = 8


@dataclass(frozen=True)
class Packing:
    """Throughput of a device with one run, two runs, and so on, at once.

    Attributes:
        device: Name of the device.
        epochs_per_second: Epochs per second of all runs together, evaluation included, for 1, 2, … runs; ends with the
            first number of runs without a gain, or the largest that fits into memory.
        device_bytes: Peak memory of a run on the device, in bytes.
        host_bytes: Peak memory of a run's process on the host in bytes, without memory-mapped files.

    Example:
        >>> found = Packing("a GPU", (2.0, 3.0, 3.1), device_bytes=2 << 30, host_bytes=3 << 30)
        >>> found.best, found.speedup
        (2, 1.5)
    """

    device: str
    epochs_per_second: tuple[float, ...]
    device_bytes: int
    host_bytes: int

    @property
    def best(self) -> int:
        """Number of runs with the highest throughput; a larger number must gain more than noise."""
        best = 0
        for index, rate in enumerate(self.epochs_per_second):
            if is_gain(rate, self.epochs_per_second[best]):
                best = index
        return best + 1

    @property
    def speedup(self) -> float:
        """Throughput of the best number of runs relative to one run."""
        return self.epochs_per_second[self.best - 1] / self.epochs_per_second[0]


@dataclass(frozen=True)
class Trained:
    """Measurements of one of several concurrent runs.

    Attributes:
        rate: Time and memory of the run.
        epochs_per_second: Epochs per second while the other runs trained.
        host_bytes: Peak memory of the run's process on the host in bytes, without memory-mapped files.
    """

    rate: probe.Rate
    epochs_per_second: float
    host_bytes: int


def is_gain(rate: float, best: float) -> bool:
    """Whether a rate exceeds the best one by more than noise."""
    return rate >= GAIN * best


def measure(config: TrainConfig, most: int = MOST, seconds: float = SECONDS) -> Packing:
    """Trains one run, then two, three and so on at once on the configuration's device.

    It stops at the first number of runs that gains nothing, does not fit into memory, or does not start within
    ``PATIENCE_SECONDS``. Each number takes about 15 seconds on a GPU. It writes no file and reads no test data.

    Args:
        config: Configuration of the runs.
        most: Maximum number of concurrent runs.
        seconds: Duration of concurrent training for each number of runs, in seconds.

    Raises:
        DataError: The data is missing or damaged.
        ConfigError: The device does not exist, or the memory of device or machine is too small for one run.
    """
    alone = _alone(config, seconds)
    fits = int(MEMORY_SHARE * alone.rate.device_bytes / max(alone.rate.peak_bytes, 1))
    rates, runs = [alone.epochs_per_second], [alone]
    while len(rates) < min(most, fits):
        try:
            found = together(config, len(rates) + 1, seconds)
        except (ConfigError, BrokenProcessPool, BrokenBarrierError):  # too little memory for so many runs, or too slow
            break
        runs += found
        rates.append(sum(run.epochs_per_second for run in found))
        if not is_gain(rates[-1], max(rates[:-1])):
            break
    device_bytes, host_bytes = max(run.rate.peak_bytes for run in runs), max(run.host_bytes for run in runs)
    return Packing(alone.rate.device, tuple(rates), device_bytes, host_bytes)


def _alone(config: TrainConfig, seconds: float) -> Trained:
    try:
        return together(config, 1, seconds)[0]
    except BrokenProcessPool as error:
        raise ConfigError(
            "a trial's process was killed during the measurement, probably because the machine ran out of memory; "
            "lower training.batch_size, or use a machine with more memory"
        ) from error


def together(config: TrainConfig, count: int, seconds: float) -> list[Trained]:
    """Measures several runs at once; the measurement starts when all of them train at full speed.

    Args:
        config: Configuration of the runs.
        count: Number of runs.
        seconds: Duration of the measurement in seconds.

    Raises:
        ConfigError: The runs do not fit into the device's memory.
        BrokenProcessPool: A process was killed, as when the machine runs out of memory.
        BrokenBarrierError: A run was not ready ``PATIENCE_SECONDS`` after another one.
    """
    spawning = multiprocessing.get_context("spawn")  # CUDA does not work after a fork
    manager = SyncManager(ctx=spawning)
    manager.start(end_with_parent)  # otherwise they survive a killed Ray worker and hold GPU memory
    with manager, ProcessPoolExecutor(count, spawning, end_with_parent) as pool:
        start = manager.Barrier(count)
        runs = [pool.submit(_train, config, start, seconds) for _ in range(count)]
        _, waiting = wait(runs, return_when=FIRST_EXCEPTION)
        if waiting:
            start.abort()  # the other runs wait for the one that failed
        errors = [error for run in runs if (error := run.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
            raise error
    return [run.result() for run in runs]


def _train(config: TrainConfig, start: Barrier, seconds: float) -> Trained:
    torch.set_num_threads(config.training.threads)
    try:
        rate, bench = probe.measured(config)
        start.wait(PATIENCE_SECONDS)
        return Trained(rate, 1 / bench.epoch_seconds(seconds), peak_private_bytes())
    except torch.OutOfMemoryError as error:
        raise ConfigError("a trial needs more memory than the GPU has free; lower training.batch_size") from error
