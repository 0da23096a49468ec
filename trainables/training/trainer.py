"""Trains and evaluates one configuration by epochs; a resumed run repeats an uninterrupted one bit for bit."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from trainables.batches.input_pipeline import InputPipeline
from trainables.batches.mixing import draw_mixing
from trainables.errors import CheckpointError
from trainables.training import workbench
from trainables.training.device import choose_precision
from trainables.training.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Generator

    from trainables.config import TrainConfig
    from trainables.interfaces import Batch
    from trainables.runs.predictions import Predictions
    from trainables.training.evaluation import Evaluation
    from trainables.training.training_data import StoredSplit, TrainingData


class Trainer:
    """Trains one configuration, an epoch at a time.

    Args:
        config: Configuration of the run.
        data: Training and validation data on ``device``.
        device: Device of the run, from ``choose_device``.

    Attributes:
        epoch: Number of finished epochs.
    """

    def __init__(self, config: TrainConfig, data: TrainingData, device: torch.device) -> None:
        self.config = config
        self.epoch = 0
        self._data = data
        self._device = device
        size = data.train.store.height, data.train.store.width
        precision = choose_precision(config.training.precision, device)
        self._workbench = workbench.take(config, data.classes, size, device, precision)
        self._may_compile = config.training.compile == "auto" and device.type == "cuda"
        self._pipeline = InputPipeline(
            data.train.images,
            data.train.store,
            config.dataset.augmentation,
            config.method.views(),
            config.training.batch_size,
            config.seed,
            device,
        )

    @property
    def model(self) -> nn.Module:
        """Network that is trained."""
        return self._workbench.network.model

    def run_epoch(self) -> dict[str, float]:
        """Trains one epoch.

        Returns:
            Averages over the anchors: ``train/loss``, ``train/<term>`` for each unweighted loss term and, if the
            images are not mixed, ``train/top1_error``. NaN or infinite values mean that training diverged.
        """
        start = time.monotonic()
        step = self._workbench.step
        training = self.config.training
        step.begin_epoch(training.learning_rate(self.epoch), self.epoch / training.epochs)
        with closing(self._batches()) as batches:  # ends the prefetching threads if a step fails
            for batch in batches:
                self._workbench.train(batch)
        self.epoch += 1
        averages = step.averages(self._pipeline.anchors)
        self._compile_if_it_pays(time.monotonic() - start)
        return averages

    def close(self) -> None:
        """Releases network and step to the next run of this process; the trainer must not be used afterwards."""
        workbench.give_back(self._workbench)

    def _batches(self) -> Generator[Batch, None, None]:
        """Batches of the epoch, with mixing if the method declares it."""
        alpha = self.config.method.mixing_alpha()
        if alpha is None:
            yield from self._pipeline.batches(self.epoch)
            return
        sizes = [stop - start for start, stop in self._pipeline.bounds()]
        mixings = draw_mixing(alpha, self.config.seed, self.epoch, sizes, self._device)
        for batch, mixing in zip(self._pipeline.batches(self.epoch), mixings, strict=True):
            yield replace(batch, mixing=mixing)

    def _compile_if_it_pays(self, epoch_seconds: float) -> None:
        """Compiles the step if that saves time; decided once, after the first epoch."""
        remaining = (self.config.training.epochs - self.epoch) * epoch_seconds
        if self._may_compile and not self._workbench.is_compiled and workbench.pays_to_compile(remaining):
            self._workbench.compile()
        self._may_compile = False

    def predict(self, split: StoredSplit) -> Predictions:
        """Logits, features and labels of a split under the test transform, in its order."""
        return self._evaluate(split).predictions

    def evaluate(self, split: StoredSplit, name: str, *, final: bool) -> tuple[dict[str, float], Predictions]:
        """Metrics of a split as ``<name>/<metric>``, and its predictions.

        Metrics of additional readouts (an exit, an unscaled head) are named ``<name>/<readout>/<metric>``.

        Args:
            split: Images and labels.
            name: Name of the split, ``validation`` or ``test``.
            final: Whether to add recall@1, whose cost grows with the square of the number of images.
        """
        found = self._evaluate(split)
        values = {f"{name}/{metric}": value for metric, value in found.metrics(final=final).items()}
        return values, found.predictions

    def _evaluate(self, split: StoredSplit) -> Evaluation:
        return evaluate(self._workbench.network, self.config.method, split)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint; order, partners and augmentation follow from seed and epoch and are not stored."""
        return {
            "epoch": self.epoch,
            "seed": self.config.seed,
            "config": self.config.model_dump(mode="json"),
            "config_digest": self.config.digest(),
            "classes": list(self._data.classes),
            "split_digest": self._data.split_digest,
            "model": self.model.state_dict(),
            "torch_rng": torch.get_rng_state(),
            **self._workbench.step.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of ``state_dict``.

        Raises:
            CheckpointError: The state belongs to another configuration or split.
        """
        expected = {"config_digest": self.config.digest(), "split_digest": self._data.split_digest}
        for key, value in expected.items():
            if state.get(key) != value:
                raise CheckpointError(f"the checkpoint's {key} is {state.get(key)}, this run's is {value}")
        self.model.load_state_dict(state["model"])
        self._workbench.step.load_state_dict(state)
        torch.set_rng_state(state["torch_rng"])
        self.epoch = int(state["epoch"])


def all_finite(values: dict[str, float]) -> bool:
    """Whether no value is NaN or infinite."""
    return bool(np.isfinite(list(values.values())).all())
