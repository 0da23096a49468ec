"""How many runs share a device best: trains some at once, each in a process of its own, and counts their epochs."""

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
from trainables.costs.footprint import most_own_bytes
from trainables.costs.orphans import end_with_parent
from trainables.errors import ConfigError

if TYPE_CHECKING:
    from threading import Barrier

    from trainables.config import TrainConfig

SECONDS = 4.0  # of training side by side, for each number of processes
PATIENCE_SECONDS = 600.0  # until the slowest process has loaded its data and trains at full speed
GAIN = 1.05  # one more run at once must bring this much; less is noise, and takes memory
MEMORY_SHARE = 0.9  # of a device, for runs that share it
MOST = 8


@dataclass(frozen=True)
class Packing:
    """What a device does with one run, two runs … at once.

    Attributes:
        device: Its name.
        epochs_per_second: Of all runs together, evaluation included, by their number from 1; ends with the first number
            that was no better, or with the largest that fits.
        device_bytes: Memory that a run takes on the device.
        host_bytes: Memory that its process takes of the machine; data that is mapped from a file counts for none.

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
        """The number of runs with which the device does the most; fewer where more bring next to nothing."""
        best = 0
        for place, rate in enumerate(self.epochs_per_second):
            if is_gain(rate, self.epochs_per_second[best]):
                best = place
        return best + 1

    @property
    def speedup(self) -> float:
        """Work of the best number of runs, in that of one alone."""
        return self.epochs_per_second[self.best - 1] / self.epochs_per_second[0]


@dataclass(frozen=True)
class Trained:
    """What one of several runs found while the others trained, too."""

    rate: probe.Rate
    epochs_per_second: float
    host_bytes: int


def is_gain(rate: float, best: float) -> bool:
    """Whether a rate is better than another by more than noise."""
    return rate >= GAIN * best


def measure(config: TrainConfig, most: int = MOST, seconds: float = SECONDS) -> Packing:
    """Trains one run, then two, three … at once on the device that the configuration would choose.

    Ends with the first number that is no better than the best before it, that memory does not hold, or that does not
    begin in ``PATIENCE_SECONDS``. Takes about a quarter of a minute for each number on a GPU. Leaves no file and opens
    no test data.

    Args:
        config: What is trained.
        most: The largest number tried.
        seconds: Of training side by side.

    Raises:
        DataError: The data is not here, or damaged.
        ConfigError: There is no such device, or it, or the machine, does not hold even one run.
    """
    alone = _alone(config, seconds)
    fits = int(MEMORY_SHARE * alone.rate.device_bytes / max(alone.rate.peak_bytes, 1))
    rates, runs = [alone.epochs_per_second], [alone]
    while len(rates) < min(most, fits):
        try:
            found = together(config, len(rates) + 1, seconds)
        except (ConfigError, BrokenProcessPool, BrokenBarrierError):  # so many need more memory than there is, or time
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
            "a trial's process was killed while it was measured, as it is where a machine's memory ends; lower "
            "training.batch_size, or give the machine more"
        ) from error


def together(config: TrainConfig, count: int, seconds: float) -> list[Trained]:
    """Some runs at once, which begin to count when all of them train at full speed.

    Raises:
        ConfigError: A run does not fit into the device's memory beside the others.
        BrokenProcessPool: The machine's memory did not hold them: a process was killed.
        BrokenBarrierError: One was not ready in ``PATIENCE_SECONDS`` after another.
    """
    spawning = multiprocessing.get_context("spawn")  # CUDA does not outlive a fork
    manager = SyncManager(ctx=spawning)
    manager.start(end_with_parent)  # a killed worker of Ray would leave them all, and what they hold of the GPU
    with manager, ProcessPoolExecutor(count, spawning, end_with_parent) as pool:
        start = manager.Barrier(count)
        runs = [pool.submit(_train, config, start, seconds) for _ in range(count)]
        _, waiting = wait(runs, return_when=FIRST_EXCEPTION)
        if waiting:
            start.abort()  # they wait for the one that failed
        errors = [error for run in runs if (error := run.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
            raise error
    return [run.result() for run in runs]


def _train(config: TrainConfig, start: Barrier, seconds: float) -> Trained:
    torch.set_num_threads(config.training.threads)
    try:
        rate, bench = probe.measured(config)
        start.wait(PATIENCE_SECONDS)
        return Trained(rate, 1 / bench.epoch_seconds(seconds), most_own_bytes())
    except torch.OutOfMemoryError as error:
        raise ConfigError("a trial needs more memory than the GPU has free; lower training.batch_size") from error
