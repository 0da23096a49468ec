"""Evaluation of a network on a split: what it says of each image, in large batches, and how good that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainables.batches.image_store import Mirrored
from trainables.batches.residency import fetched, free_bytes
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

# Networks for large images shrink them early, so the images that a GPU takes at once fall with their side: 2,048 of 32
# pixels, 292 of 224. A CPU is fastest while activations stay in its cache: 64 and 8 (measured, on one thread).
SIDES_ON_GPU = 1 << 16
PIXELS_ON_CPU = 1 << 16
FEWEST = 8
BYTES_PER_PIXEL = 4096  # of a batch in flight: a few maps of 256 channels in float32; networks of our size need less
MEMORY_SHARE = 0.25  # of the device's free memory


@dataclass(frozen=True)
class Evaluation:
    """What a network says of a split's images, in the split's order.

    Attributes:
        predictions: Logits, features and labels.
        readouts: Logits ``[n, classes]`` of the method's further readouts (an exit, an unscaled head), by name.
        device: Of the network.
    """

    predictions: Predictions
    readouts: Mapping[str, NDArray[np.float32]]
    device: torch.device

    def metrics(self, *, final: bool) -> dict[str, float]:
        """Metrics by name; those of a further readout are ``<readout>/<metric>``.

        Args:
            final: Whether to add recall@1, whose cost grows with the square of the images.
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
    """Runs the network in evaluation mode over a split under the test transform.

    Results are collected on the device and leave it at the end; nothing waits for the device before that.
    """
    network.model.eval()
    labels = split.images.labels
    collected: dict[str, Tensor] = {}
    start = 0
    for images in split.store.in_turn(_requests(split, network.device)):
        outputs = network.student(images)
        further = method.readouts(outputs, network.classifier)
        for name, part in {"logits": outputs.logits, "features": outputs.features, **further}.items():
            if name not in collected:
                collected[name] = torch.empty(len(labels), part.shape[1], device=network.device)
            collected[name][start : start + len(images)] = part
        start += len(images)
    arrays = fetched(collected)
    return Evaluation(Predictions(arrays.pop("logits"), arrays.pop("features"), labels), arrays, network.device)


def _requests(split: StoredSplit, device: torch.device) -> Iterator[tuple[Mirrored, None]]:
    count = len(split.images.labels)
    every = Mirrored.of(torch.arange(count), device)
    size = batch_size(split.store.height, split.store.width, device)
    for start in range(0, count, size):
        yield every.batch(start, start + size), None


def batch_size(height: int, width: int, device: torch.device) -> int:
    """Images of a batch: as many as the device is fast with, fewer where its free memory is short."""
    if device.type == "cpu":
        return max(FEWEST, PIXELS_ON_CPU // (height * width))
    size = max(FEWEST, SIDES_ON_GPU // max(height, width))
    budget = MEMORY_SHARE * free_bytes(device)
    while size > FEWEST and size * height * width * BYTES_PER_PIXEL > budget:
        size //= 2  # in few steps, so that memory that varies a little changes nothing
    return size
