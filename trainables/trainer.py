"""The trainer: epochs of one method on one model, evaluation, and a state that resumes bit for bit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from trainables import metrics
from trainables.errors import CheckpointError, ConfigError
from trainables.input_pipeline import InputPipeline
from trainables.interfaces import Batch
from trainables.mixing import draw_mixing
from trainables.network import Network, build_network
from trainables.predictions import Predictions
from trainables.pretrained import load_teacher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from trainables.config import TrainConfig
    from trainables.interfaces import Method
    from trainables.training_data import StoredSplit, TrainingData

EVALUATION_BATCH = 500


def choose_device(wanted: str) -> torch.device:
    """The device of a run: ``auto`` takes a GPU where there is one.

    Raises:
        ConfigError: A GPU is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device is cuda, but torch sees no GPU; use device: auto or cpu")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """Arithmetic of the network: ``auto`` is bfloat16 on a GPU and float32 on a CPU.

    Raises:
        ConfigError: bfloat16 is asked for on a CPU, where it is emulated and tens of times slower.
    """
    if wanted == "bfloat16" and device.type == "cpu":
        raise ConfigError("training.precision is bfloat16, which a CPU emulates very slowly; use auto or float32")
    return torch.bfloat16 if device.type == "cuda" and wanted != "float32" else torch.float32


class Trainer:
    """Trains one configuration, an epoch at a time.

    Args:
        config: The run.
        data: Its data, on ``device``.
        device: From ``choose_device``.

    Attributes:
        epoch: Finished epochs.
    """

    def __init__(self, config: TrainConfig, data: TrainingData, device: torch.device) -> None:
        self.config = config
        self.epoch = 0
        self._data = data
        self._device = device
        size = data.train.store.height, data.train.store.width
        precision = choose_precision(config.training.precision, device)
        declared = config.method.pretrained()
        teacher = None if declared is None else load_teacher(declared, data.classes, size, device, precision)
        torch.manual_seed(config.seed)
        model = build_network(config.model, config.method, len(data.classes), *size)
        model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = Network(model, device, precision, teacher)
        self._method: Method = config.method
        self._values = hyperparameter_tensors(config.method, device)
        training = config.training
        self._optimizer = torch.optim.SGD(
            model.parameters(),
            lr=training.lr,
            momentum=training.momentum,
            weight_decay=training.weight_decay,
            fused=True,
        )
        self._pipeline = InputPipeline(
            data.train.images,
            data.train.store,
            config.dataset.augmentation,
            config.method.views(),
            training.batch_size,
            config.seed,
            device,
        )

    @property
    def model(self) -> nn.Module:
        """The network that is trained."""
        return self._network.model

    def run_epoch(self) -> dict[str, float]:
        """Trains one epoch.

        Returns:
            Averages over the anchors: ``train/loss``, ``train/<term>`` for each unweighted loss term and, where the
            method has clean labels, ``train/top1_error``. NaN or infinite values mean that training diverged.
        """
        self.model.train()
        for group in self._optimizer.param_groups:
            group["lr"] = self.config.training.learning_rate(self.epoch)
        sums: Tensor | None = None
        names: list[str] = []
        for batch in self._batches():
            names, values = self._step(batch)
            sums = values if sums is None else sums.add_(values)
        self.epoch += 1
        assert sums is not None  # noqa: S101 - splits refuse empty training data
        averages = (sums / self._pipeline.anchors).tolist()
        return dict(zip(names, averages, strict=True))

    def _batches(self) -> Iterator[Batch]:
        """The epoch's batches, with their mixing where the method declares it."""
        alpha = self._method.mixing_alpha()
        if alpha is None:
            yield from self._pipeline.batches(self.epoch)
            return
        sizes = [stop - start for start, stop in self._pipeline.bounds()]
        mixings = draw_mixing(alpha, self.config.seed, self.epoch, sizes, self._device)
        for batch, mixing in zip(self._pipeline.batches(self.epoch), mixings, strict=True):
            yield replace(batch, mixing=mixing)

    def _step(self, batch: Batch) -> tuple[list[str], Tensor]:
        """One SGD step; returns names and sums over the batch, which stay on the device until the epoch ends."""
        terms = self._method.loss_terms(self._network, batch, self._values)
        self._optimizer.zero_grad(set_to_none=True)
        terms.total.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        count = len(batch.labels)
        parts = {"train/loss": terms.total} | {f"train/{name}": part for name, part in terms.parts.items()}
        sums = [value.detach().float() * count for value in parts.values()]
        names = list(parts)
        if terms.logits is not None:
            names.append("train/top1_error")
            sums.append((terms.logits.detach().argmax(dim=1) != batch.labels).sum().float())
        return names, torch.stack(sums)

    @torch.inference_mode()
    def predict(self, split: StoredSplit) -> Predictions:
        """Logits and features of a split under the test transform, in its order."""
        return self._read_out(split)[0]

    def evaluate(self, split: StoredSplit, name: str, *, final: bool) -> tuple[dict[str, float], Predictions]:
        """Metrics of a split as ``<name>/<metric>``, and the predictions behind them.

        Further readouts of a method (an exit, an unscaled head) are ``<name>/<readout>/<metric>``.

        Args:
            split: Images and labels.
            name: ``validation`` or ``test``.
            final: Whether to add recall@1, whose cost grows with the square of the images.
        """
        predictions, readouts = self._read_out(split)
        values = metrics.evaluate(predictions.logits, predictions.labels)
        if final:
            values["recall_at_1"] = metrics.recall_at_1(predictions.features, predictions.labels)
        for readout, logits in readouts.items():
            measured = metrics.evaluate(logits, predictions.labels)
            values |= {f"{readout}/{metric}": value for metric, value in measured.items()}
        return {f"{name}/{metric}": value for metric, value in values.items()}, predictions

    @torch.inference_mode()
    def _read_out(self, split: StoredSplit) -> tuple[Predictions, dict[str, NDArray[np.float32]]]:
        """Predictions, and the logits of the method's further readouts."""
        self.model.eval()
        parts: dict[str, list[Tensor]] = defaultdict(list)
        for index in torch.split(torch.arange(len(split.images.labels), device=self._device), EVALUATION_BATCH):
            outputs = self._network.student(split.store.plain(index))
            further = self._method.readouts(outputs, self._network.classifier)
            for name, part in {"logits": outputs.logits, "features": outputs.features, **further}.items():
                parts[name].append(part.float())
        arrays = {name: torch.cat(part).cpu().numpy() for name, part in parts.items()}
        predictions = Predictions(arrays.pop("logits"), arrays.pop("features"), split.images.labels)
        return predictions, arrays

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs; order, partners and augmentation follow from seed and epoch."""
        return {
            "epoch": self.epoch,
            "seed": self.config.seed,
            "config": self.config.model_dump(mode="json"),
            "config_digest": self.config.digest(),
            "classes": list(self._data.classes),
            "split_digest": self._data.split_digest,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "torch_rng": torch.get_rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from ``state_dict``.

        Raises:
            CheckpointError: The state is of another configuration or another split.
        """
        expected = {"config_digest": self.config.digest(), "split_digest": self._data.split_digest}
        for key, value in expected.items():
            if state.get(key) != value:
                raise CheckpointError(f"the checkpoint's {key} is {state.get(key)}, this run's is {value}")
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_rng"])
        self.epoch = int(state["epoch"])


def hyperparameter_tensors(method: Method, device: torch.device) -> dict[str, Tensor]:
    """The numeric options of a method as scalar tensors, so that one compiled step can serve every trial."""
    options = {name: getattr(method, name) for name in type(method).model_fields}
    return {
        name: torch.tensor(float(value), device=device)
        for name, value in options.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def all_finite(values: dict[str, float]) -> bool:
    """Whether no value is NaN or infinite."""
    return bool(np.isfinite(list(values.values())).all())
