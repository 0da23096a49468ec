"""S2: CIFAR-100 pairs, our input pipeline on one thread against PIL, torchvision and a DataLoader of two workers."""

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from tests.benchmarks.measuring import REPOSITORY, Finding, against_reference
from trainables.augmentation import ImageStore
from trainables.datasets.cifar100 import Cifar100
from trainables.input_pipeline import InputPipeline
from trainables.interfaces import Batch, LabelledImages
from trainables.methods.cs_kd import CsKd

TARGET = 35
BATCH = 128
ROUNDS = 5
WORKERS = 2
MEASURED_BATCHES = 60
PREFETCHED_BATCHES = 2 * WORKERS  # ready before the clock starts, so they are taken first
UNPACKER = REPOSITORY / ".." / "shared" / "data" / "unpack_cifar100.py"


class ReferenceDataset(torch.utils.data.Dataset):
    """Images one at a time through PIL and the paper's transforms."""

    def __init__(self, images: LabelledImages) -> None:
        from trainables.vision import torchvision

        transforms = torchvision.transforms
        self._images = images
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(Cifar100.mean, Cifar100.std),
            ]
        )

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        return self._transform(Image.fromarray(self._images.images[index])), int(self._images.labels[index])


class PairBatchSampler:
    """Batches of 2B indices as the paper's release draws them: B anchors, then a random image of the class of each."""

    def __init__(self, labels: np.ndarray, batch_size: int) -> None:
        self._labels = labels
        self._batch_size = batch_size
        self._by_class = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]

    def __iter__(self) -> Iterator[list[int]]:
        generator = np.random.default_rng(0)
        order = generator.permutation(len(self._labels))
        for start in range(0, len(order), self._batch_size):
            anchors = order[start : start + self._batch_size]
            partners = [generator.choice(self._by_class[label]) for label in self._labels[anchors]]
            yield [*anchors.tolist(), *map(int, partners)]


def reference_batches(images: LabelledImages, workers: int = WORKERS) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of anchors and partners in one tensor ``[2b, 3, 32, 32]``, and their labels ``[2b]``."""
    sampler = PairBatchSampler(images.labels, BATCH)
    return iter(DataLoader(ReferenceDataset(images), batch_sampler=sampler, num_workers=workers))


def our_pipeline(images: LabelledImages) -> InputPipeline:
    """The pipeline as the trainer builds it for CS-KD."""
    dataset, device = Cifar100, torch.device("cpu")
    store = ImageStore(images.images, dataset.mean, dataset.std, dataset.augmentation.padding, device)
    return InputPipeline(images, store, dataset.augmentation, CsKd().views(), BATCH, 0, device)


def cifar100() -> LabelledImages:
    """The training part from the shared data, else random images of its shape."""
    if not UNPACKER.exists():
        return random_images(50_000)
    with tempfile.TemporaryDirectory() as root:
        subprocess.run([sys.executable, str(UNPACKER), root], check=True, stdout=subprocess.DEVNULL)
        return Cifar100(root=Path(root)).training_images()


def random_images(count: int) -> LabelledImages:
    """Noise in the shape of CIFAR-100, with equally many images of each class."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)
    return LabelledImages(pixels, np.arange(count) % 100, tuple(str(label) for label in range(100)))


def _reference_seconds(images: LabelledImages) -> float:
    """Seconds an image of a loader under way: the start of its workers and what they made meanwhile do not count."""
    batches = reference_batches(images)
    for _ in itertools.islice(batches, PREFETCHED_BATCHES):
        pass
    start = time.perf_counter()
    count = sum(len(labels) for _, labels in itertools.islice(batches, MEASURED_BATCHES))
    return (time.perf_counter() - start) / count


def _our_seconds(pipeline: InputPipeline) -> float:
    """Seconds an image over an epoch, the drawing of its random choices included."""
    start = time.perf_counter()
    count = sum(_images_of(batch) for batch in pipeline.batches(0))
    return (time.perf_counter() - start) / count


def _images_of(batch: Batch) -> int:
    return sum(len(view) for view in batch.views.values())


def measure() -> Finding:
    """Images a second of both pipelines, in turn."""
    torch.set_num_threads(1)
    images = cifar100()
    pipeline = our_pipeline(images)
    speedup, figures = against_reference(ROUNDS, lambda: _reference_seconds(images), lambda: _our_seconds(pipeline))
    return Finding(f"reference / ours >= {TARGET}", speedup >= TARGET, figures)
