"""Small real runs: some digits, a network of width 4, and parts of a user's own that a configuration names by path."""

import math
from pathlib import Path

from trainables.config import TrainConfig
from trainables.interfaces import LossTerms, Method, Model, View

DIGITS = {"name": "digits", "validation": {"per_class": 8}, "subset": {"classes": 4, "train_per_class": 24}}


def small_config(method="cs_kd", *, model=None, dataset=DIGITS, train_on="train", seed=0, **training) -> TrainConfig:
    """64 training and 32 validation images in four batches; milliseconds an epoch."""
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


class Ledger:
    """A test access that remembers its readings, and what the run had written by then."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.readings = []

    def record(self, dataset: str, images: int) -> None:
        written = sorted(path.name for path in self.directory.rglob("*") if path.is_file())
        self.readings.append((dataset, images, written))


class BrokenLoss(Method):
    """Cross-entropy that breaks: its value at once, or only its gradient."""

    gradient_only: bool = False

    def views(self):
        return (View("anchor"),)

    def loss_terms(self, forward, batch, values):
        logits = forward.student(batch.views["anchor"]).logits
        loss = -logits.log_softmax(dim=1).gather(1, batch.labels[:, None]).mean()
        broken = loss + (0 * logits.sum()).sqrt() if self.gradient_only else loss * math.nan
        return LossTerms(broken, {}, None)


class DropoutNet(Model):
    """Draws from torch's generator while it trains."""

    def build(self, num_classes):
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(nn.Flatten(), nn.Linear(192, 32), nn.ReLU(), nn.Dropout(0.5))
                self.classifier = nn.Linear(32, num_classes)

        return Net()
