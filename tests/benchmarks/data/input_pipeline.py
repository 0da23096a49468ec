"""S2: CIFAR-100 pairs, the project's pipeline on one thread against PIL, torchvision and two loader workers."""

import time

import torch

from tests.benchmarks.material import cifar100
from tests.benchmarks.measuring import Finding, against_reference
from tests.benchmarks.reference import Loader, PilImages, pair_loader, seconds_per_image, transforms_of
from trainables.batches.augmentation import ImageStore
from trainables.batches.input_pipeline import InputPipeline
from trainables.datasets.cifar100 import Cifar100
from trainables.interfaces import LabelledImages
from trainables.methods.cs_kd import CsKd

TARGET = 35
BATCH = 128
ROUNDS = 5
WORKERS = 2
MEASURED_BATCHES = 60


def reference_loader(images: LabelledImages, workers: int = WORKERS) -> Loader:
    """Returns a loader of anchors and partners ``[2b, 3, 32, 32]`` with their labels ``[2b]``."""
    augmented, _ = transforms_of(Cifar100, size=32)
    return pair_loader(PilImages(images, augmented), BATCH, workers)


def our_pipeline(images: LabelledImages) -> InputPipeline:
    """Returns the pipeline as the trainer builds it for CS-KD."""
    dataset, device = Cifar100, torch.device("cpu")
    store = ImageStore(images.images, dataset.mean, dataset.std, dataset.augmentation.padding, device)
    return InputPipeline(images, store, dataset.augmentation, CsKd().views(), BATCH, 0, device)


def _our_seconds(pipeline: InputPipeline) -> float:
    """Returns the seconds per image over an epoch, including the random draws."""
    start = time.perf_counter()
    count = sum(len(view) for batch in pipeline.batches(0) for view in batch.views.values())
    return (time.perf_counter() - start) / count


def measure() -> Finding:
    """Measures the images per second of both pipelines in turn."""
    torch.set_num_threads(1)
    images = cifar100().training_images()
    loader, pipeline = reference_loader(images), our_pipeline(images)
    speedup, figures = against_reference(
        ROUNDS, lambda: seconds_per_image(loader, MEASURED_BATCHES), lambda: _our_seconds(pipeline)
    )
    return Finding(f"reference / ours >= {TARGET}", speedup >= TARGET, figures)
