"""Reference for the benchmarks: training as in the paper's code, in plain PyTorch.

Images pass one by one through PIL and torchvision in loader workers that are restarted each epoch. A step consists of
two forward passes in float32 NCHW, three values read by the host and one SGD update. Evaluation uses a loader with the
training's batch size and reads two values per batch. Progress bar and log, which would slow it down, are omitted.
"""

import contextlib
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from trainables import interfaces
from trainables.config import TrainConfig
from trainables.interfaces import LabelledImages, ResizedCrop

WORKERS = 4
Loader = DataLoader[tuple[Tensor, Tensor]]


class ReferenceTrainer:
    """Trains a model with CS-KD as the paper's code does.

    Args:
        model: Model, trained in place.
        config: Configuration with temperature, weight of the class-wise term and optimiser.
        device: Device to train on.
    """

    def __init__(self, model: nn.Module, config: TrainConfig, device: torch.device) -> None:
        self.model = model.to(device)
        self._device = device
        self._temperature, self._lambda = config.method.temperature, config.method.lambda_cls
        training = config.training
        self._optimizer = torch.optim.SGD(
            model.parameters(), lr=training.lr, momentum=training.momentum, weight_decay=training.weight_decay
        )

    def run_epoch(self, loader: Loader, learning_rate: float) -> dict[str, float]:
        """Trains on all batches; returns the means of the values that the steps report."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        found = [self.step(images, labels) for images, labels in loader]
        return {name: float(np.mean([values[name] for values in found])) for name in found[0]}

    def step(self, images: Tensor, labels: Tensor) -> dict[str, float]:
        """One SGD step.

        Args:
            images: ``b`` anchors followed by their partners, ``[2b, 3, h, w]``.
            labels: Labels ``[2b]``.

        Returns:
            Unweighted loss terms and training error, each read from the device immediately.
        """
        self.model.train()
        with _tuned_convolutions():
            images, labels = images.to(self._device), labels.to(self._device)
            count = len(images) // 2
            labels = labels[:count]
            logits = self.forward_anchors(images[:count])
            ce = nn.functional.cross_entropy(logits, labels)
            values = {"train/ce": ce.item()}
            cls = self.distillation(logits, self.forward_partners(images[count:]))
            values["train/cls"] = cls.item()
            values["train/top1_error"] = logits.argmax(dim=1).ne(labels).sum().item() / count
            self._optimizer.zero_grad()
            (ce + self._lambda * cls).backward()
            self._optimizer.step()
        return values

    def forward_anchors(self, images: Tensor) -> Tensor:
        """Returns the logits, with gradient."""
        return self.model(images)

    @torch.no_grad()
    def forward_partners(self, images: Tensor) -> Tensor:
        """Returns the logits, without gradient and in train mode."""
        return self.model(images)

    def distillation(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Returns the class-wise term."""
        log_p = nn.functional.log_softmax(student / self._temperature, dim=1)
        q = nn.functional.softmax(teacher.detach() / self._temperature, dim=1)
        return nn.KLDivLoss(reduction="sum")(log_p, q) * self._temperature**2 / len(student)

    @torch.no_grad()
    def evaluate(self, loader: Loader) -> dict[str, float]:
        """Returns the mean loss of the batches and the top-1 error in [0, 1] of a loader's images."""
        self.model.eval()
        losses, wrong, count = [], 0.0, 0
        with _tuned_convolutions():
            for batch, targets in loader:
                images, labels = batch.to(self._device), targets.to(self._device)
                logits = self.model(images)
                losses.append(nn.functional.cross_entropy(logits, labels).item())
                wrong += logits.argmax(dim=1).ne(labels).sum().item()
                count += len(labels)
        return {"nll": float(np.mean(losses)), "top1_error": wrong / count}


@contextlib.contextmanager
def _tuned_convolutions() -> Iterator[None]:
    """Enables cuDNN's autotuner, as the paper's code does, only inside the block."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


class PilImages(Dataset):
    """Images in memory, transformed one at a time through PIL.

    Attributes:
        targets: Labels, as in torchvision's data sets.
    """

    def __init__(self, images: LabelledImages, transform: object) -> None:
        self._images = images
        self._transform = transform
        self.targets = images.labels.tolist()

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self._transform(Image.fromarray(self._images.images[index])), self.targets[index]

    def __len__(self) -> int:
        return len(self.targets)


def jpeg_files(folder: Path, transform: object) -> Dataset:
    """Returns torchvision's data set of the files in ``folder/<class>/``."""
    from trainables.models.layers.torchvision_import import datasets

    return datasets.ImageFolder(folder, transform)


def transforms_of(dataset: interfaces.Dataset, size: int) -> tuple[object, object]:
    """Returns torchvision's training and test transforms for a data set.

    Args:
        dataset: Data set that declares augmentation and normalisation.
        size: Height and width of the network's input in pixels.
    """
    from trainables.models.layers.torchvision_import import torchvision

    library, augmentation = torchvision.transforms, dataset.augmentation
    end = [library.ToTensor(), library.Normalize(dataset.mean, dataset.std)]
    flip = library.RandomHorizontalFlip(augmentation.flip)
    if isinstance(augmentation, ResizedCrop):
        crop = library.RandomResizedCrop(size, augmentation.area, augmentation.aspect)
        plain = [library.Resize(augmentation.resize), library.CenterCrop(size)]
    else:
        crop, plain = library.RandomCrop(size, padding=augmentation.padding), []
    return library.Compose([crop, flip, *end]), library.Compose([*plain, *end])


class PairBatchSampler:
    """Yields batches of ``2b`` indices: ``b`` anchors of a shuffled epoch, then a random image of each one's class."""

    def __init__(self, targets: list[int], batch_size: int, seed: int = 0) -> None:
        self._labels = np.array(targets)
        self._batch_size = batch_size
        self._by_class = [np.flatnonzero(self._labels == label) for label in range(self._labels.max() + 1)]
        self._generator = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[list[int]]:
        order = self._generator.permutation(len(self._labels))
        for start in range(0, len(order), self._batch_size):
            anchors = order[start : start + self._batch_size]
            partners = [self._generator.choice(self._by_class[label]) for label in self._labels[anchors]]
            yield [*anchors.tolist(), *map(int, partners)]


def pair_loader(images: Dataset, batch_size: int, workers: int = WORKERS, seed: int = 0) -> Loader:
    """Returns a loader of anchors and partners ``[2b, 3, h, w]`` with their labels ``[2b]``."""
    sampler = PairBatchSampler(images.targets, batch_size, seed)
    return DataLoader(images, batch_sampler=sampler, num_workers=workers)


def plain_loader(images: Dataset, batch_size: int, workers: int = WORKERS) -> Loader:
    """Returns a loader of all images in order."""
    return DataLoader(images, batch_size, num_workers=workers)


def seconds_per_image(loader: Loader, batches: int) -> float:
    """Returns the seconds per image of a running loader, without the start of its workers.

    Args:
        loader: Loader whose workers each prefetch two batches, which are consumed before the measurement.
        batches: Number of batches to measure.
    """
    running = iter(loader)
    for _ in itertools.islice(running, 2 * loader.num_workers):
        pass
    start = time.perf_counter()
    count = sum(len(labels) for _, labels in itertools.islice(running, batches))
    return (time.perf_counter() - start) / count
