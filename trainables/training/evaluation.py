"""Evaluates a network on a split: predictions in large batches, and their metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainables.batches.image_store import Mirrored
from trainables.batches.residency import free_bytes, to_arrays
from trainables.metrics import classification
from trainables.runs.predictions import Predictions
from trainables.training.neighbours import search_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from trainables.interfaces import Method
    from trainables.training.network import Network
    from trainables.training.training_data import StoredSplit

# Networks for large images reduce them early, so a GPU's batch size falls with the side: 2,048 images of 32 pixels, 292
# of 224. A CPU is fastest while activations stay in its cache: 64 and 8 images (measured on one thread).
SIDES_ON_GPU = 1 << 16
PIXELS_ON_CPU = 1 << 16
FEWEST = 8
BYTES_PER_PIXEL = 4096  # of a batch: a few maps of 256 channels in float32, more than the networks here need
MEMORY_SHARE = 0.25  # fraction of the device's free memory


@dataclass(frozen=True)
class Evaluation:
    """Predictions of a network for the images of a split, in the split's order.

    Attributes:
        predictions: Logits, features and labels.
        readouts: Logits ``[n, classes]`` of the method's additional readouts (an exit, an unscaled head), by name.
        device: Device of the network.
    """

    predictions: Predictions
    readouts: Mapping[str, NDArray[np.float32]]
    device: torch.device

    def metrics(self, *, final: bool) -> dict[str, float]:
        """Metrics by name; those of an additional readout are named ``<readout>/<metric>``.

        Args:
            final: Whether to add recall@1, whose cost grows with the square of the number of images.
        """
        labels = self.predictions.labels
        values = classification.evaluate(self.predictions.logits, labels)
        if final:
            search = search_for(self.device)
            values["recall_at_1"] = classification.recall_at_1(self.predictions.features, labels, search)
        for readout, logits in self.readouts.items():
            values |= {f"{readout}/{name}": value for name, value in classification.evaluate(logits, labels).items()}
        return values


@torch.inference_mode()
def evaluate(network: Network, method: Method, split: StoredSplit) -> Evaluation:
    """Runs the network in evaluation mode on a split under the test transform.

    Results are collected on the device and copied to the host at the end, so that the host waits only once.

    Args:
        network: Network to evaluate.
        method: Method that defines additional readouts.
        split: Images and labels.
    """
    network.model.eval()
    labels = split.images.labels
    collected: dict[str, Tensor] = {}
    start = 0
    for images in split.store.in_turn(_requests(split, network.device)):
        outputs = network.student(images)
        readouts = method.readouts(outputs, network.classifier)
        for name, part in {"logits": outputs.logits, "features": outputs.features, **readouts}.items():
            if name not in collected:
                collected[name] = torch.empty(len(labels), part.shape[1], device=network.device)
            collected[name][start : start + len(images)] = part
        start += len(images)
    arrays = to_arrays(collected)
    return Evaluation(Predictions(arrays.pop("logits"), arrays.pop("features"), labels), arrays, network.device)


def _requests(split: StoredSplit, device: torch.device) -> Iterator[tuple[Mirrored, None]]:
    count = len(split.images.labels)
    every = Mirrored.of(torch.arange(count), device)
    size = batch_size(split.store.height, split.store.width, device)
    for start in range(0, count, size):
        yield every.batch(start, start + size), None


def batch_size(height: int, width: int, device: torch.device) -> int:
    """Number of images per batch: the fastest for the device, or fewer if its free memory is small."""
    if device.type == "cpu":
        return max(FEWEST, PIXELS_ON_CPU // (height * width))
    size = max(FEWEST, SIDES_ON_GPU // max(height, width))
    budget = MEMORY_SHARE * free_bytes(device)
    while size > FEWEST and size * height * width * BYTES_PER_PIXEL > budget:
        size //= 2  # halved, so that small changes of the free memory have no effect
    return size
