"""Data of the benchmarks: CIFAR-100 if it is beside the checkout, else random images of its shape; JPEG files."""

import io
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from tests.benchmarks.measuring import REPOSITORY
from trainables.batches.augmentation import ImageStore
from trainables.config import TrainConfig
from trainables.datasets.cifar100 import Cifar100
from trainables.datasets.image_folder import list_classes
from trainables.interfaces import Augmentation, Dataset, LabelledImages
from trainables.interfaces.ragged_images import RaggedImages
from trainables.preparation.decoding import decode
from trainables.preparation.prepared_dataset import CroppedDataset
from trainables.training.training_data import StoredSplit, TrainingData

UNPACKER = REPOSITORY / ".." / "shared" / "data" / "unpack_cifar100.py"
DISTINCT_PHOTOGRAPHS = 64


def cifar_shaped(count: int, classes: int = 100) -> LabelledImages:
    """Returns 32x32 images, equally many per class: the pattern of the class with noise, which a network can learn."""
    generator = np.random.default_rng(0)
    patterns = generator.integers(0, 256, (classes, 32, 32, 3), np.int16)
    labels = np.arange(count) % classes
    pixels = generator.integers(-96, 97, (count, 32, 32, 3), np.int16)
    pixels += patterns[labels]
    return LabelledImages(pixels.clip(0, 255).astype(np.uint8), labels, tuple(map(str, range(classes))))


class CifarShaped(Dataset):
    """Replacement for CIFAR-100 if that is missing.

    Attributes:
        count: Number of training images.
        classes: Number of classes.
    """

    mean: ClassVar[tuple[float, float, float]] = Cifar100.mean
    std: ClassVar[tuple[float, float, float]] = Cifar100.std
    augmentation: ClassVar[Augmentation] = Cifar100.augmentation

    count: int = Field(default=50_000, ge=4)
    classes: int = Field(default=100, ge=2)

    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        assert part == "train", "benchmarks read no test data"
        return cifar_shaped(self.count, self.classes)


@cache
def cifar100() -> Dataset:
    """Returns CIFAR-100, unpacked for this process, or its replacement."""
    if not UNPACKER.exists():
        return CifarShaped()
    folder = _kept_folder()
    subprocess.run([sys.executable, str(UNPACKER), str(folder)], check=True, stdout=subprocess.DEVNULL)
    return Cifar100(root=folder)


@cache
def _kept_folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="cskd-bench-")
    _folders.append(folder)  # removed when the process ends
    return Path(folder.name)


_folders: list[tempfile.TemporaryDirectory[str]] = []


class JpegFolder(CroppedDataset):
    """JPEG files in ``root/<class>/``, decoded into memory like the images of a prepared file."""

    def _read(self, part: Literal["train", "test"]) -> LabelledImages:
        assert part == "train", "benchmarks read no test data"
        files = list_classes(self.root)
        paths = [path for of_class in files.values() for path in of_class]
        with ThreadPoolExecutor() as pool:
            pixels = list(pool.map(lambda path: decode(path, self.stored_side).pixels, paths))
        count = np.arange(len(pixels))
        sizes = np.array([each.shape[:2] for each in pixels])
        buffers = tuple(each.copy().ravel() for each in pixels)
        images = RaggedImages(buffers, tuple(map(str, paths)), count, 0 * count, sizes, int(self.memory_limit))
        labels = np.repeat(np.arange(len(files)), [len(of_class) for of_class in files.values()])
        return LabelledImages(images, labels, tuple(files))


def write_photographs(folder: Path, classes: int, per_class: int, size: tuple[int, int] = (500, 375)) -> Path:
    """Writes JPEG files of 0.1 MB each, the size of CUB's, to ``folder/<class>/``; returns the folder.

    Args:
        folder: Folder to create.
        classes: Number of class folders.
        per_class: Number of files in each; a few distinct images are repeated.
        size: Width and height in pixels.
    """
    distinct = [_photograph(seed, size) for seed in range(min(DISTINCT_PHOTOGRAPHS, classes * per_class))]
    for label in range(classes):
        of_class = folder / f"{label:03}"
        of_class.mkdir(parents=True)
        for number in range(per_class):
            content = distinct[(label * per_class + number) % len(distinct)]
            (of_class / f"{number}.jpg").write_bytes(content)
    return folder


def _photograph(seed: int, size: tuple[int, int]) -> bytes:
    """Returns a JPEG file of large soft shapes with fine grain."""
    from PIL import Image

    generator = np.random.default_rng(seed)
    shapes = Image.fromarray(generator.integers(0, 256, (12, 16, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = generator.normal(0, 14, (size[1], size[0], 3))
    sink = io.BytesIO()
    Image.fromarray((np.asarray(shapes) + grain).clip(0, 255).astype(np.uint8)).save(sink, "JPEG", quality=88)
    return sink.getvalue()


def stored(config: TrainConfig, images: LabelledImages, device: torch.device) -> TrainingData:
    """Returns images of a fixed size as the training data of a run, without a validation split."""
    dataset = config.dataset
    store = ImageStore(images.images, dataset.mean, dataset.std, dataset.augmentation.padding, device)
    return TrainingData(StoredSplit(images, store), None, images.classes, "material")
