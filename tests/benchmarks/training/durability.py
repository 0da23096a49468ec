"""Durability: cost of a checkpoint of the paper's network, compared with an epoch of its training on this CPU."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from tests.benchmarks.measuring import Finding
from trainables.batches.augmentation import ImageStore
from trainables.config import TrainConfig
from trainables.files.durable import append_json_line
from trainables.interfaces import LabelledImages
from trainables.runs import checkpoint, checkpoint_names
from trainables.training.trainer import Trainer
from trainables.training.training_data import StoredSplit, TrainingData

ANCHORS = 45_000  # CIFAR-100 without its validation split
BATCH = 32
STEPS = 2


def median_seconds(work: Callable[[], object], times: int = 5) -> float:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def paper_trainer() -> Trainer:
    """Returns a trainer of PreAct ResNet-18 with CS-KD on noise in CIFAR-100's shape, for the timed steps."""
    config = TrainConfig.model_validate(
        {"dataset": "cifar100", "model": "preact_resnet18", "method": "cs_kd", "training": {"batch_size": BATCH}}
    )
    rng = np.random.default_rng(0)
    count = BATCH * STEPS
    images = rng.integers(0, 256, size=(count, 32, 32, 3), dtype=np.uint8)
    classes = tuple(map(str, range(100)))
    labelled = LabelledImages(images, np.arange(count) % (count // 2), classes)
    cpu, dataset = torch.device("cpu"), config.dataset
    store = ImageStore(images, dataset.mean, dataset.std, dataset.augmentation.padding, cpu)
    return Trainer(config, TrainingData(StoredSplit(labelled, store), None, classes, "noise"), cpu)


def measure() -> Finding:
    """Measures bytes and seconds; the snapshot blocks training, the write does not."""
    torch.set_num_threads(1)
    trainer = paper_trainer()
    trainer.run_epoch()  # warm-up; also fills the optimizer's state
    start = time.perf_counter()
    trainer.run_epoch()
    epoch_seconds = (time.perf_counter() - start) / (BATCH * STEPS) * ANCHORS
    state = trainer.state_dict()
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint_names.path_of(Path(folder), 1)
        copy = checkpoint.snapshot(state)
        found = {
            "epoch_seconds_estimated": epoch_seconds,
            "snapshot_seconds": median_seconds(lambda: checkpoint.snapshot(state)),
            "write_seconds": median_seconds(lambda: checkpoint.save(path, copy)),
            "line_seconds": median_seconds(lambda: append_json_line(Path(folder, "metrics.jsonl"), {"epoch": 1}), 20),
            "checkpoint_bytes": float(path.stat().st_size),
        }
    found["blocking_share"] = (found["snapshot_seconds"] + found["line_seconds"]) / epoch_seconds
    return Finding("blocking share of an epoch <= 1%", found["blocking_share"] <= 0.01, found)
