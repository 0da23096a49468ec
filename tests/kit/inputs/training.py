"""Small real runs: a few digits, a network of width 4, and custom components that a configuration imports by path."""

import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from trainables.config import TrainConfig
from trainables.interfaces import Augmentation, Dataset, LabelledImages, LossTerms, Method, Model, View, registry
from trainables.training.device import choose_device
from trainables.training.trainer import Trainer
from trainables.training.training_data import open_training_data

CS_KD_E = {"name": "cs_kd", "temperature": 3.0, "lambda_cls": 2.0, "lambda_e": 0.7}
WITHOUT_TEACHER = [
    name for name in registry.available("methods") if registry.load("methods", name)().pretrained() is None
]
DIGITS = {"name": "digits", "validation": {"per_class": 8}, "subset": {"classes": 4, "train_per_class": 24}}


def small_config(method="cs_kd", *, model=None, dataset=DIGITS, train_on="train", seed=0, **training) -> TrainConfig:
    """Returns a configuration with 64 training and 32 validation images; four batches and milliseconds per epoch."""
    defaults = {"epochs": 4, "batch_size": 16, "lr": 0.05, "device": "cpu", "checkpoint_seconds": 0}
    return TrainConfig.model_validate(
        {
            "dataset": dataset,
            "model": model or {"name": "preact_resnet10", "width": 4, "input_size": 8},
            "method": method,
            "training": defaults | training,
            "train_on": train_on,
            "seed": seed,
        }
    )


def trainer_of(config: TrainConfig) -> Trainer:
    """Creates a trainer with its data on its device."""
    device = choose_device(config.training.device)
    return Trainer(config, open_training_data(config.dataset, config.train_on, device), device)


def weights(trainer: Trainer) -> list[torch.Tensor]:
    """Returns the parameters and buffers of the trainer's network."""
    return list(trainer.model.state_dict().values())


class Ledger:
    """Test access that records its readings and the files that the run had written by then."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.readings = []

    def record(self, dataset: str, images: int) -> None:
        written = sorted(path.name for path in self.directory.rglob("*") if path.is_file())
        self.readings.append((dataset, images, written))


class BrokenLoss(Method):
    """Cross-entropy whose value, or only its gradient, is NaN."""

    gradient_only: bool = False

    def views(self):
        return (View("anchor"),)

    def loss_terms(self, forward, batch, values):
        logits = forward.student(batch.views["anchor"]).logits
        loss = -logits.log_softmax(dim=1).gather(1, batch.labels[:, None]).mean()
        broken = loss + (0 * logits.sum()).sqrt() if self.gradient_only else loss * math.nan
        return LossTerms(broken, {}, None)


class DropoutNet(Model):
    """Network with dropout, which draws from torch's generator during training."""

    def build(self, num_classes):
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(nn.Flatten(), nn.Linear(192, 32), nn.ReLU(), nn.Dropout(0.5))
                self.classifier = nn.Linear(32, num_classes)

        return Net()


class Patterns(Dataset):
    """Noisy images of four patterns, of configurable size; the noise differs between the parts."""

    mean: ClassVar = (0.5, 0.5, 0.5)
    std: ClassVar = (0.25, 0.25, 0.25)
    augmentation: ClassVar = Augmentation(padding=1, flip=0.0)

    size: int = 8
    per_class: int = Field(default=24, ge=2)

    def _read(self, part):
        patterns = np.random.default_rng(0).integers(64, 192, (4, self.size, self.size, 3))
        labels = np.arange(4 * self.per_class, dtype=np.int64) % 4
        noise = np.random.default_rng(["train", "test"].index(part) + 1).normal(
            0, 24, (len(labels), *patterns.shape[1:])
        )
        images = (patterns[labels] + noise).clip(0, 255).astype(np.uint8)
        return LabelledImages(images, labels, ("a", "b", "c", "d"))


def patterns(size=8, per_class=24) -> dict:
    """Returns the configuration of ``Patterns``: 96 images of four classes, 64 of them for training."""
    name = f"{Patterns.__module__}:Patterns"
    return {"name": name, "size": size, "per_class": per_class, "validation": {"per_class": per_class // 3}}


class OwnHead(Method):
    """Custom method that uses everything a method may declare except a trained teacher."""

    weight: float = 0.5
    kept: float = 0.75

    def views(self):
        return (View("anchor"), View("plain", augmented=False))

    def mixing_alpha(self):
        return 0.4

    def head(self, width, num_classes):
        from torch import nn

        return nn.Linear(width, num_classes, bias=False)

    def exits(self):
        return (2,)

    def branch(self, shape, last, width, num_classes):
        from torch import nn

        class Pooled(nn.Module):
            def __init__(self):
                super().__init__()
                self.classifier = nn.Linear(shape[0], num_classes)

            def forward(self, maps):
                return self.classifier(maps.mean(dim=(2, 3))), maps.mean(dim=(2, 3))

        return Pooled()

    def loss_terms(self, forward, batch, values):
        share, order = batch.mixing.share, batch.mixing.order
        images = batch.views["anchor"]
        outputs = forward.student(share * images + (1 - share) * images[order])
        target = (forward.teacher(images).logits + forward.averaged(batch.views["plain"]).logits).softmax(dim=1)
        one = -(target * outputs.logits.log_softmax(dim=1)).sum(dim=1).mean()
        labels, two = (
            -share * log_p.gather(1, batch.labels[:, None]).mean()
            - (1 - share) * log_p.gather(1, batch.labels[order][:, None]).mean()
            for log_p in (logits.log_softmax(dim=1) for logits in (outputs.logits, outputs.exits[0].logits))
        )
        total = labels + two + (values["weight"] + values["progress"]) * one
        return LossTerms(total, {"labels": labels, "plain": one, "exit": two}, None)

    def averaging(self):
        return "kept"

    def readouts(self, outputs, classifier):
        return {"exit": outputs.exits[0].logits}
