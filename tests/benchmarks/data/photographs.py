"""CUB-50: preparation on one core; pairs of 224-pixel crops on one thread against ImageFolder and two workers."""

import tempfile
import time
from pathlib import Path
from unittest import mock

import torch

from tests.benchmarks.measuring import REPOSITORY, Finding, against_reference, seconds
from tests.benchmarks.reference import Loader, jpeg_files, pair_loader, seconds_per_image, transforms_of
from trainables.batches.input_pipeline import InputPipeline
from trainables.datasets.cub200 import Cub200
from trainables.interfaces import Counts
from trainables.methods.cs_kd import CsKd
from trainables.preparation import steps
from trainables.preparation.extraction import unpack
from trainables.training.training_data import open_training_data

TARGET = 5
BATCH = 32
ROUNDS = 5
WORKERS = 2
MEASURED_BATCHES = 24
ARCHIVE = REPOSITORY / ".." / "shared" / "data" / "cub200" / "CUB_200_2011.tgz"
CUB50 = Counts(classes=50, train=1500, test=1389)
CPU = torch.device("cpu")


def reference_loader(images: Path, workers: int = WORKERS) -> Loader:
    """Returns a loader of batches ``[64, 3, 224, 224]`` from class folders, as in the paper's code."""
    augmented, _ = transforms_of(Cub200(), size=224)
    return pair_loader(jpeg_files(images, augmented), BATCH, workers)


def our_pipeline(dataset: Cub200) -> InputPipeline:
    """Returns the pipeline as the trainer builds it for CS-KD."""
    data = open_training_data(dataset, "full", CPU)
    return InputPipeline(data.train.images, data.train.store, dataset.augmentation, CsKd().views(), BATCH, 0, CPU)


def _our_seconds(pipeline: InputPipeline) -> float:
    """Returns the seconds per image over an epoch, including the random draws."""
    start = time.perf_counter()
    count = sum(len(view) for batch in pipeline.batches(0) for view in batch.views.values())
    return (time.perf_counter() - start) / count


def measure() -> Finding:
    """Measures the images per second of both pipelines in turn; the archive's shorter sides are at most 256."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        dataset = Cub200(root=root, expect=CUB50)
        with mock.patch.object(steps, "cpu_count", return_value=1):
            preparing = seconds(lambda: dataset.prepare([ARCHIVE]))
        verifying = seconds(dataset.training_images)
        unpack(ARCHIVE, root / "plain")
        images = root / "plain" / "CUB_200_2011" / "images"
        pipeline = our_pipeline(dataset)
        loader = reference_loader(images)
        speedup, figures = against_reference(
            ROUNDS, lambda: seconds_per_image(loader, MEASURED_BATCHES), lambda: _our_seconds(pipeline)
        )
    figures |= {
        "prepared, images a second and core": (CUB50.train + CUB50.test) / preparing,
        "opened and verified, images a second": CUB50.train / verifying,
    }
    return Finding(f"reference with {WORKERS} workers / ours on one thread >= {TARGET}", speedup >= TARGET, figures)
