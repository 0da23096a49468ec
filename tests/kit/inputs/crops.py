"""Images of different sizes, with crops, batches and a data set made from them."""

from collections.abc import Iterable

import numpy as np
import torch

from trainables.batches.input_pipeline import InputPipeline
from trainables.batches.resized_crops import RaggedStore
from trainables.interfaces import Batch, LabelledImages, ResizedCrop, View
from trainables.interfaces.ragged_images import RaggedImages
from trainables.preparation.prepared_dataset import CroppedDataset

ZERO, ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
SPEC = ResizedCrop(size=64, resize=73)
VIEWS = (View("anchor"), View("partner", "partner"), View("plain", augmented=False))
AMPLE = 1 << 30


def ragged(images: list[np.ndarray], memory_limit: int = AMPLE) -> RaggedImages:
    """Packs images into one buffer, with filler bytes before and between them."""
    flat, start = [np.zeros(7, np.uint8)], []
    for image in images:
        start.append(sum(map(len, flat)))
        flat += [image.reshape(-1), np.full(5, 255, np.uint8)]
    sizes = np.array([image.shape[:2] for image in images])
    buffer = np.zeros(len(images), np.int64)
    return RaggedImages((np.concatenate(flat),), ("digest",), buffer, np.array(start), sizes, memory_limit)


def noise(shapes: Iterable[tuple[int, int]]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]


def levels(batch: torch.Tensor) -> np.ndarray:
    """Returns the grey levels ``[b, height, width, 3]`` of a batch normalised with mean 0 and standard deviation 1."""
    return (batch * 255).round().permute(0, 2, 3, 1).int().cpu().numpy()


def crop_pipeline(
    device: torch.device, *, memory_limit: int = AMPLE, ahead: int | None = None, views: tuple[View, ...] = VIEWS
) -> InputPipeline:
    """Returns a pipeline of three classes with four images each, in batches of 5, 5 and 2.

    ``ahead`` makes the CPU prepare crops ahead, as it does for a GPU.
    """
    images = ragged(noise([(70 + n, 90 - n) for n in range(12)]), memory_limit)
    store = RaggedStore(images, SPEC, ZERO, ONE, device)
    if ahead is not None:
        store.ahead = ahead
    data = LabelledImages(images, np.arange(12) % 3, ("a", "b", "c"))
    return InputPipeline(data, store, SPEC, views, 5, 7, device)


def assert_same_batches(found: Iterable[Batch], expected: Iterable[Batch], most: int = 0) -> None:
    """Asserts that batches are equal up to ``most`` grey levels."""
    for one, other in zip(found, expected, strict=True):
        assert one.labels.tolist() == other.labels.tolist()
        assert list(one.views) == list(other.views)
        for name, view in one.views.items():
            assert np.abs(levels(view) - levels(other.views[name])).max() <= most


class Snapshots(CroppedDataset):
    """Noisy images of different sizes in four classes, which differ in brightness."""

    crop: int = 8
    stored_side: int = 16

    def _read(self, part):
        rng = np.random.default_rng(["train", "test"].index(part))
        labels = np.arange(96, dtype=np.int64) % 4
        images = [
            (60 + 40 * label + rng.normal(0, 24, (16 + number % 7, 22 - number % 5, 3))).clip(0, 255).astype(np.uint8)
            for number, label in enumerate(labels)
        ]
        return LabelledImages(ragged(images, self.memory_limit), labels, ("a", "b", "c", "d"))


def snapshots(memory_limit: int) -> dict:
    """Returns the configuration of ``Snapshots``: 96 images, 64 of them for training."""
    name = f"{Snapshots.__module__}:Snapshots"
    return {"name": name, "memory_limit": memory_limit, "validation": {"per_class": 8}}
