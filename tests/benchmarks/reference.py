"""The baseline: what users of the paper's release have today, in plain PyTorch, written for these benchmarks.

Images go one by one through PIL and torchvision in loader workers that are started anew each epoch. A step is two
forward passes in float32 NCHW, three values read by the host, one SGD update. Evaluation takes batches of the
training's size through a loader, two values read for each. Left out is what would only slow it down: its progress bar
and its log.
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
    """Trains a model by CS-KD as the release does.

    Args:
        model: Trained in place.
        config: Temperature, weight of the class-wise term and optimiser.
        device: Where it trains.
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
        """Trains on all batches; returns the means of what the steps report."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        found = [self.step(images, labels) for images, labels in loader]
        return {name: float(np.mean([values[name] for values in found])) for name in found[0]}

    def step(self, images: Tensor, labels: Tensor) -> dict[str, float]:
        """One SGD step.

        Args:
            images: b anchors, then their partners ``[2b, 3, h, w]``.
            labels: ``[2b]``.

        Returns:
            Unweighted loss terms and training error, each read at once.
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
        """Logits with gradient."""
        return self.model(images)

    @torch.no_grad()
    def forward_partners(self, images: Tensor) -> Tensor:
        """Logits without gradient, in train mode."""
        return self.model(images)

    def distillation(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The class-wise term."""
        log_p = nn.functional.log_softmax(student / self._temperature, dim=1)
        q = nn.functional.softmax(teacher.detach() / self._temperature, dim=1)
        return nn.KLDivLoss(reduction="sum")(log_p, q) * self._temperature**2 / len(student)

    @torch.no_grad()
    def evaluate(self, loader: Loader) -> dict[str, float]:
        """Mean loss of the batches and top-1 error of a loader's images."""
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
    """The release lets cuDNN choose its kernels by trying them; what runs between its steps shall not."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


class PilImages(Dataset):
    """Images from memory, one at a time through PIL.

    Attributes:
        targets: Labels, as torchvision's data sets have them.
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
    """The files of ``folder/<class>/``."""
    from trainables.models.layers.torchvision_import import datasets

    return datasets.ImageFolder(folder, transform)


def transforms_of(dataset: interfaces.Dataset, size: int) -> tuple[object, object]:
    """Training and test transform of a data set, in torchvision's words.

    Args:
        dataset: Declares them.
        size: Height and width in pixels of what the network sees.
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
    """Batches of 2b indices: b anchors in the order of a shuffled epoch, then an image of the class of each."""

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
    """Batches of anchors and partners ``[2b, 3, h, w]`` with their labels ``[2b]``."""
    sampler = PairBatchSampler(images.targets, batch_size, seed)
    return DataLoader(images, batch_sampler=sampler, num_workers=workers)


def plain_loader(images: Dataset, batch_size: int, workers: int = WORKERS) -> Loader:
    """All images in order."""
    return DataLoader(images, batch_size, num_workers=workers)


def seconds_an_image(loader: Loader, batches: int) -> float:
    """Of a loader under way: the start of its workers and what they made meanwhile do not count.

    Args:
        loader: Its workers keep two batches each ready, which are taken before the clock starts.
        batches: That are measured.
    """
    under_way = iter(loader)
    for _ in itertools.islice(under_way, 2 * loader.num_workers):
        pass
    start = time.perf_counter()
    count = sum(len(labels) for _, labels in itertools.islice(under_way, batches))
    return (time.perf_counter() - start) / count
