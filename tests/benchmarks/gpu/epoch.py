"""S6, S6b, S8, S9: epochs with input and evaluation on a GPU, against the reference with four loader workers."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from tests.benchmarks.gpu.step import wait_for
from tests.benchmarks.material import JpegFolder, cifar100, write_photographs
from tests.benchmarks.measuring import Finding, interleave, ratio, seconds
from tests.benchmarks.reference import (
    WORKERS,
    PilImages,
    ReferenceTrainer,
    jpeg_files,
    pair_loader,
    plain_loader,
    transforms_of,
)
from trainables.config import TrainConfig
from trainables.interfaces import Dataset
from trainables.training.trainer import Trainer
from trainables.training.training_data import TrainingData, open_training_data

ROUNDS = 3
EPOCHS = 200
GRID_RUNS = 8 + 3 * 2  # the paper's grid, then three seeds of the selected setting and of cross-entropy
CIFAR_TARGET, TRIAL_MINUTES, STUDY_MINUTES = 8.0, 4.0, 45.0
BIRD_TARGETS = {"resnet18": 12.0, "densenet121": 4.0}
CLASSES, PER_CLASS = 50, 30  # as in CUB-50


@dataclass(frozen=True)
class Epochs:
    """Functions that run an epoch with its evaluation and return the seconds."""

    ours: Callable[[], float]
    reference: Callable[[], float]


def config_of(dataset: Dataset, model: dict[str, object], batch_size: int, device: torch.device) -> TrainConfig:
    """Returns the configuration of a CS-KD run."""
    training = {"batch_size": batch_size, "lr": 0.05, "device": device.type, "epochs": EPOCHS}
    return TrainConfig(dataset=dataset, model=model, method="cs_kd", training=training)


def our_epoch(config: TrainConfig, data: TrainingData, device: torch.device) -> Callable[[], float]:
    """Returns a function that times the project's epoch; the first epoch, which records the CUDA graph, is done."""
    trainer = Trainer(config, data, device)

    def epoch() -> None:
        trainer.run_epoch()
        trainer.evaluate(data.validation or data.train, "validation", final=False)
        wait_for(device)

    epoch()
    return lambda: seconds(epoch)


def reference_epoch(
    config: TrainConfig,
    images: "torch.utils.data.Dataset[tuple[Tensor, int]]",
    plain: object,
    workers: int,
    classes: int,
) -> Callable[[], float]:
    """Returns a function that times the reference's epoch over ``images`` and its evaluation of ``plain``."""
    device = torch.device(config.training.device)
    trainer = ReferenceTrainer(config.model.build(classes), config, device)
    batch = config.training.batch_size

    def epoch() -> None:
        trainer.run_epoch(pair_loader(images, batch, workers), config.training.lr)
        trainer.evaluate(plain_loader(plain, batch, workers))
        wait_for(device)

    return lambda: seconds(epoch)


def small_images(dataset: Dataset, model: dict[str, object], batch: int, device: torch.device, workers: int) -> Epochs:
    """Returns the epochs on images of a fixed size in memory."""
    config = config_of(dataset, model, batch, device)
    data = open_training_data(dataset, "train", device)
    assert data.validation is not None
    augmented, plain = transforms_of(dataset, data.train.store.height)
    images, held_out = PilImages(data.train.images, augmented), PilImages(data.validation.images, plain)
    return Epochs(
        our_epoch(config, data, device), reference_epoch(config, images, held_out, workers, len(data.classes))
    )


def photographs(folder: Path, model: str, batch: int, device: torch.device, workers: int) -> Epochs:
    """Returns the epochs on JPEG files, which the project decodes once."""
    dataset = JpegFolder(root=folder)
    config = config_of(dataset, {"name": model}, batch, device)
    data = open_training_data(dataset, "full", device)
    augmented, plain = transforms_of(dataset, dataset.augmentation.size)
    images, held_out = jpeg_files(folder, augmented), jpeg_files(folder, plain)
    return Epochs(
        our_epoch(config, data, device), reference_epoch(config, images, held_out, workers, len(data.classes))
    )


def compare(name: str, epochs: Epochs, rounds: int) -> dict[str, float]:
    """Measures the seconds per epoch of both in turn; returns these and their ratio."""
    costs = interleave(
        rounds, {"reference": epochs.reference, "ours": epochs.ours, "reference again": epochs.reference}
    )
    figures = {f"{name}, {who}, seconds an epoch": median(values) for who, values in costs.items()}
    return figures | {
        f"{name}, reference / ours": ratio(costs, "reference", "ours"),
        f"{name}, reference / reference again": ratio(costs, "reference", "reference again"),
    }


def measure() -> Finding:
    """Measures CIFAR-100 and photographs in the shape of CUB-50; extrapolates whole trials from an epoch."""
    device = torch.device("cuda")
    cifar = small_images(cifar100(), {"name": "preact_resnet18"}, 128, device, WORKERS)
    figures = compare("CIFAR-100", cifar, ROUNDS)
    trial = figures["CIFAR-100, ours, seconds an epoch"] * EPOCHS / 60
    figures |= {"CIFAR-100, minutes a trial of 200 epochs": trial, "its grid and seeds, minutes": GRID_RUNS * trial}
    met = figures["CIFAR-100, reference / ours"] >= CIFAR_TARGET
    met &= trial <= TRIAL_MINUTES and GRID_RUNS * trial <= STUDY_MINUTES
    with tempfile.TemporaryDirectory() as folder:
        files = write_photographs(Path(folder) / "images", CLASSES, PER_CLASS)
        for model, target in BIRD_TARGETS.items():
            name = f"birds, {model}"
            figures |= compare(name, photographs(files, model, 32, device, WORKERS), ROUNDS)
            met &= figures[f"{name}, reference / ours"] >= target
    target = (
        f"CIFAR-100 >= {CIFAR_TARGET:g} x, a trial <= {TRIAL_MINUTES:g} min, the paper's grid <= {STUDY_MINUTES:g} min"
    )
    return Finding(f"{target}; birds >= 12 x and >= 4 x", bool(met), figures)
