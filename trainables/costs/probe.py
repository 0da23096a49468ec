"""Measures the time and memory of a configuration with a few steps and evaluations on its data.

It writes no file, downloads nothing and does not read test data.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch

from trainables.costs.footprint import Footprint
from trainables.errors import ConfigError, DataError
from trainables.training import evaluation
from trainables.training.device import choose_device
from trainables.training.trainer import Trainer
from trainables.training.training_data import StoredSplit, open_training_data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainables.config import TrainConfig

ENOUGH_SECONDS = 1.0  # minimum duration of a measurement
FIRST_ON_CPU = 4  # anchors; less than a second with the slowest network
FIRST_ON_GPU = 8  # batches; the step is recorded after three and then replayed
PROCESSORS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Rate:
    """Time and memory of a run on a device.

    Attributes:
        device: Name of the device.
        step_seconds: Duration of a step on a full batch, in seconds.
        training_seconds: Duration of an epoch without evaluation, in seconds.
        evaluation_seconds: Duration of an evaluation of the validation split, in seconds; 0 without one.
        startup_seconds: Time until a process trains at full speed, in seconds: data, network, first kernels.
        peak_bytes: Peak memory of a run on the device, in bytes.
        device_bytes: Memory of the device that runs can use, in bytes.
        anchors: Number of training images.
        validation_images: Number of images of the validation split.
        measured_anchors: Number of training images in the measurement; if smaller than a batch, steps and memory are
            extrapolated.
    """

    device: str
    step_seconds: float
    training_seconds: float
    evaluation_seconds: float
    startup_seconds: float
    peak_bytes: int
    device_bytes: int
    anchors: int
    validation_images: int
    measured_anchors: int

    @property
    def epoch_seconds(self) -> float:
        """Duration of an epoch with its evaluation, in seconds."""
        return self.training_seconds + self.evaluation_seconds


def probe(config: TrainConfig) -> Rate:
    """Measures a configuration on its device in a few seconds.

    On a CPU, whose speed hardly depends on the batch size, slow networks are measured on a part of a batch.

    Args:
        config: Configuration of the run.

    Raises:
        DataError: The data is missing or damaged.
        ConfigError: The device does not exist, the model does not accept the image size, or memory is insufficient.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(config.training.threads)
    try:
        return measured(config)[0]
    except torch.OutOfMemoryError as error:
        raise ConfigError("a trial needs more memory than the GPU has free; lower training.batch_size") from error
    finally:
        torch.set_num_threads(before)


class Bench:
    """A configuration that is trained and evaluated repeatedly on a part of its data.

    Args:
        config: Configuration of the run. The step is not compiled, which would take minutes.

    Attributes:
        device: Device of the run.
        anchors: Number of all training images.
        validation_images: Number of images of the validation split.
        taken: Number of training images of the part.

    Raises:
        DataError: The data is missing or damaged.
        ConfigError: The device does not exist, or the model does not accept the image size.
    """

    def __init__(self, config: TrainConfig) -> None:
        absent = config.dataset.absent()
        if absent is not None:
            raise DataError(absent)
        self.device = choose_device(config.training.device)
        self._config = config.model_copy(update={"training": config.training.model_copy(update={"compile": "never"})})
        self._data = open_training_data(config.dataset, config.train_on, self.device)
        config.model.check_images(self._data.train.store.height, self._data.train.store.width)
        self.anchors = len(self._data.train.images.labels)
        self.validation_images = 0 if self._data.validation is None else len(self._data.validation.images.labels)
        self._validation = self._data.validation
        self._trainer: Trainer | None = None
        self.taken = 0

    def take(self, anchors: int) -> None:
        """Selects about the first ``anchors`` images and their share of the validation split; resets the network.

        The number of images is even, and either a multiple of the batch size or smaller than a batch.
        """
        batch = self._config.training.batch_size
        whole = anchors if anchors < batch else anchors - anchors % batch
        self.taken = min(max(whole + whole % 2, 2), self.anchors)
        if self._trainer is not None:
            self._trainer.close()
        train = self._data.train
        part = train if self.taken == self.anchors else _paired(train, self.taken, len(self._data.classes))
        self._trainer = Trainer(self._config, replace(self._data, train=part), self.device)
        if self._data.validation is not None:
            self._validation = self._share(self._data.validation)

    def train(self) -> float:
        """Trains one epoch of the part; returns its duration in seconds."""
        assert self._trainer is not None  # noqa: S101 - take() comes first
        start = time.perf_counter()
        self._trainer.run_epoch()
        return time.perf_counter() - start

    def evaluate(self) -> float:
        """Evaluates the part's share of the validation split; returns the seconds for the whole split."""
        assert self._trainer is not None  # noqa: S101 - take() comes first
        if self._validation is None:
            return 0.0
        start = time.perf_counter()
        self._trainer.evaluate(self._validation, "validation", final=False)
        seconds = time.perf_counter() - start
        return seconds * self.validation_images / len(self._validation.images.labels)

    def epoch_seconds(self, seconds: float) -> float:
        """Mean duration of a full epoch with evaluation in seconds, measured for at least ``seconds``."""
        training: list[float] = []
        evaluating: list[float] = []
        start = time.perf_counter()
        while not training or time.perf_counter() - start < seconds:
            training.append(self.train())
            evaluating.append(self.evaluate())
        return (sum(training) * self.anchors / self.taken + sum(evaluating)) / len(training)

    def _share(self, validation: StoredSplit) -> StoredSplit:
        """Part of the validation split in proportion to the training images, at least one batch."""
        batch = evaluation.batch_size(validation.store.height, validation.store.width, self.device)
        images = max(round(self.validation_images * self.taken / self.anchors), batch)
        return _first_images(validation, min(images, self.validation_images))


def _first_images(split: StoredSplit, count: int) -> StoredSplit:
    """First images of a split; the store keeps all images, because it is indexed by position."""
    return StoredSplit(split.images.take(np.arange(count)), split.store)


def _paired(split: StoredSplit, count: int, classes: int) -> StoredSplit:
    """First images of a split, labelled in pairs so that each has a partner; speed does not depend on labels."""
    part = _first_images(split, count)
    return replace(part, images=replace(part.images, labels=np.arange(count) // 2 % classes))


def measured(config: TrainConfig) -> tuple[Rate, Bench]:
    """Measures a configuration; returns its rate and the bench, which is warmed up."""
    start = time.perf_counter()
    footprint = Footprint(choose_device(config.training.device))
    bench = Bench(config)
    batch = min(config.training.batch_size, bench.anchors)
    bench.take(FIRST_ON_CPU if bench.device.type == "cpu" else FIRST_ON_GPU * batch)
    built_seconds = time.perf_counter() - start
    peaks = [(0, footprint.peak_bytes())]
    first_seconds, again_seconds = bench.train(), bench.train()
    peaks.append((bench.taken, footprint.peak_bytes()))
    longer = ENOUGH_SECONDS / again_seconds
    if bench.taken < bench.anchors and longer >= 2:
        footprint.reset_peak()
        bench.take(int(longer * bench.taken))
        bench.train()
        peaks.append((bench.taken, footprint.peak_bytes()))
    training_seconds = _steady(bench.train) * bench.anchors / bench.taken
    bench.evaluate()
    rate = Rate(
        device=device_name(bench.device),
        step_seconds=training_seconds * batch / bench.anchors,
        training_seconds=training_seconds,
        evaluation_seconds=_steady(bench.evaluate),
        startup_seconds=built_seconds + max(first_seconds - again_seconds, 0.0),
        peak_bytes=max(peak_at(batch, peaks), footprint.peak_bytes()),
        device_bytes=footprint.device_bytes(),
        anchors=bench.anchors,
        validation_images=bench.validation_images,
        measured_anchors=bench.taken,
    )
    return rate, bench


def _steady(measure: Callable[[], float]) -> float:
    """Median of repeated measurements in seconds, including the effects of other load on the machine."""
    start, found = time.perf_counter(), [measure()]
    while time.perf_counter() - start < ENOUGH_SECONDS:
        found.append(measure())
    return median(found)


def peak_at(batch: int, peaks: Sequence[tuple[int, int]]) -> int:
    """Peak memory of a batch in bytes, linearly extrapolated from the last two peaks of smaller batches.

    Args:
        batch: Number of anchors of the batch.
        peaks: Pairs of number of anchors and bytes, ascending, at least two.

    Example:
        >>> peak_at(128, [(0, 100), (4, 200), (16, 320)]), peak_at(16, [(0, 100), (64, 500)])
        (1440, 500)
    """
    (fewer, low), (more, high) = peaks[-2:]
    return high + max(high - low, 0) * max(batch - more, 0) // (more - fewer)


def device_name(device: torch.device) -> str:
    """Name of the GPU, or model name of the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    lines = PROCESSORS.read_text().splitlines() if PROCESSORS.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
