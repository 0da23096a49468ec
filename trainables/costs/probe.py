"""What a configuration costs here: some steps and some evaluation on its real data, in seconds.

Leaves no file, downloads nothing and never asks for test data.
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

ENOUGH_SECONDS = 1.0  # of a measurement
FIRST_ON_CPU = 4  # anchors: a fraction of a second with the slowest network
FIRST_ON_GPU = 8  # batches: enough for a step to be recorded, which takes three, and to be replayed
PROCESSORS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Rate:
    """What training a configuration costs on a device.

    Attributes:
        device: Its name.
        step_seconds: A step on a whole batch.
        training_seconds: An epoch without its evaluation.
        evaluation_seconds: The validation split, once; 0 without one.
        startup_seconds: What a process does before it trains at full speed: data, network, first kernels.
        peak_bytes: Memory that a trial takes on the device.
        device_bytes: Memory that the device has for trials.
        anchors: Training images.
        validation_images: Images of the validation split.
        measured_anchors: On so many it trained; where they are fewer than a batch, steps and memory are extrapolated.
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
        """An epoch, evaluation included."""
        return self.training_seconds + self.evaluation_seconds


def probe(config: TrainConfig) -> Rate:
    """Measures a configuration on the device that it would choose, in a few seconds.

    On a CPU, whose speed hardly depends on the batch, slow networks are measured on a part of a batch.

    Raises:
        DataError: The data is not here, or damaged.
        ConfigError: There is no such device, the model takes images of another size, or a trial needs more memory.
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
    """A configuration on a part of its data, to be run again and again.

    Args:
        config: What is trained. The step is not compiled, which would take minutes.

    Attributes:
        device: Where.
        anchors: Training images in all.
        validation_images: Images of the validation split.
        taken: Training images of the part.

    Raises:
        DataError: The data is not here, or damaged.
        ConfigError: There is no such device, or the model takes images of another size.
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
        """Makes the network anew, for about the first ``anchors`` images and their share of the validation split.

        A part holds whole batches, or less than one, and an even number of images.
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
        """Trains an epoch of the part; its seconds."""
        assert self._trainer is not None  # noqa: S101 - take() comes first
        start = time.perf_counter()
        self._trainer.run_epoch()
        return time.perf_counter() - start

    def evaluate(self) -> float:
        """Evaluates the part's share of the validation split; seconds for all of the split."""
        assert self._trainer is not None  # noqa: S101 - take() comes first
        if self._validation is None:
            return 0.0
        start = time.perf_counter()
        self._trainer.evaluate(self._validation, "validation", final=False)
        seconds = time.perf_counter() - start
        return seconds * self.validation_images / len(self._validation.images.labels)

    def epoch_seconds(self, seconds: float) -> float:
        """Seconds of a whole epoch with its evaluation, from as many as take ``seconds``, at least one of the part."""
        training: list[float] = []
        evaluating: list[float] = []
        start = time.perf_counter()
        while not training or time.perf_counter() - start < seconds:
            training.append(self.train())
            evaluating.append(self.evaluate())
        return (sum(training) * self.anchors / self.taken + sum(evaluating)) / len(training)

    def _share(self, validation: StoredSplit) -> StoredSplit:
        """As much of the validation split as of the training images, at least a batch."""
        batch = evaluation.batch_size(validation.store.height, validation.store.width, self.device)
        images = max(round(self.validation_images * self.taken / self.anchors), batch)
        return _first_images(validation, min(images, self.validation_images))


def _first_images(split: StoredSplit, count: int) -> StoredSplit:
    """The first images of a split; its store is indexed by position and holds the others, too."""
    return StoredSplit(split.images.take(np.arange(count)), split.store)


def _paired(split: StoredSplit, count: int, classes: int) -> StoredSplit:
    """The first images of a split, labelled in pairs: speed does not depend on labels, but partners must be there."""
    part = _first_images(split, count)
    return replace(part, images=replace(part.images, labels=np.arange(count) // 2 % classes))


def measured(config: TrainConfig) -> tuple[Rate, Bench]:
    """The rate of a configuration, and its bench, warm."""
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
        footprint.forget_peak()
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
    """The median of enough measurements, in seconds; whatever else the machine does is part of it."""
    start, found = time.perf_counter(), [measure()]
    while time.perf_counter() - start < ENOUGH_SECONDS:
        found.append(measure())
    return median(found)


def peak_at(batch: int, peaks: Sequence[tuple[int, int]]) -> int:
    """Bytes that a batch takes, from the peaks of smaller ones: beyond the largest, on the line through the last two.

    Args:
        batch: Anchors.
        peaks: Anchors and bytes, anchors rising.

    Example:
        >>> peak_at(128, [(0, 100), (4, 200), (16, 320)]), peak_at(16, [(0, 100), (64, 500)])
        (1440, 500)
    """
    (fewer, low), (more, high) = peaks[-2:]
    return high + max(high - low, 0) * max(batch - more, 0) // (more - fewer)


def device_name(device: torch.device) -> str:
    """What a GPU is called, or the CPU by its model."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    lines = PROCESSORS.read_text().splitlines() if PROCESSORS.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
