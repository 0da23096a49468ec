"""S1: a CS-KD training step on the CPU against the reference trainer's semantics, PreAct ResNet-18, batch 128."""

from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from tests.benchmarks.measuring import Finding, interleave, ratio, seconds
from trainables.augmentation import ImageStore
from trainables.config import TrainConfig
from trainables.input_pipeline import InputPipeline
from trainables.interfaces import Batch, LabelledImages
from trainables.trainer import Trainer
from trainables.training_data import StoredSplit, TrainingData

TARGET = 1.15
BATCH = 128
ROUNDS = 5
CHECKED_STEPS = 2
CPU = torch.device("cpu")


class ReferenceTrainer:
    """The paper's released training step: two forwards in float32 NCHW, three values read each step, plain SGD.

    Args:
        model: Trained in place.
        config: Temperature, weight of the class-wise term and optimiser.
    """

    def __init__(self, model: nn.Module, config: TrainConfig) -> None:
        self.model = model
        self._temperature, self._lambda = config.method.temperature, config.method.lambda_cls
        training = config.training
        self._optimizer = torch.optim.SGD(
            model.parameters(), lr=training.lr, momentum=training.momentum, weight_decay=training.weight_decay
        )

    def step(self, batch: Batch) -> dict[str, float]:
        """One SGD step; returns the loss terms and the training error."""
        self.model.train()
        logits = self.model(batch.views["anchor"])
        ce = nn.functional.cross_entropy(logits, batch.labels)
        with torch.no_grad():
            partner = self.model(batch.views["partner"])
        cls = self._distillation(logits, partner)
        values = {"train/ce": ce.item(), "train/cls": cls.item()}
        wrong = logits.argmax(dim=1).ne(batch.labels).sum()
        values["train/top1_error"] = wrong.item() / len(batch.labels)
        self._optimizer.zero_grad()
        (ce + self._lambda * cls).backward()
        self._optimizer.step()
        return values

    def _distillation(self, student: Tensor, teacher: Tensor) -> Tensor:
        log_p = nn.functional.log_softmax(student / self._temperature, dim=1)
        q = nn.functional.softmax(teacher.detach() / self._temperature, dim=1)
        return nn.KLDivLoss(reduction="sum")(log_p, q) * self._temperature**2 / len(student)


class SideBySide:
    """Both trainers from the same weights, with the same batches: an epoch of one step of synthetic images.

    Args:
        width: Of the network; 64 in the paper.
        batch_size: Anchors of a step.
    """

    def __init__(self, width: int = 64, batch_size: int = BATCH) -> None:
        config = TrainConfig(
            dataset="cifar100",
            model={"name": "preact_resnet18", "width": width},
            method="cs_kd",
            # A step at the paper's rate of 0.1 on noise multiplies a rounding error by ten.
            training={"batch_size": batch_size, "device": "cpu", "lr": 0.01},
        )
        data = synthetic_data(config, batch_size)
        self.ours = Trainer(config, data, CPU)
        self._batches = InputPipeline(
            data.train.images,
            data.train.store,
            config.dataset.augmentation,
            config.method.views(),
            batch_size,
            config.seed,
            CPU,
        )
        model = config.model.build(len(data.classes))
        model.load_state_dict(self.ours.model.state_dict())
        self.reference = ReferenceTrainer(model, config)

    def batch(self, epoch: int) -> Batch:
        """What our trainer makes for itself in that epoch, as the reference's loader hands it out (NCHW)."""
        [batch] = self._batches.batches(epoch)
        views = {name: images.contiguous() for name, images in batch.views.items()}
        return Batch(views, batch.labels)

    def relative_difference(self, steps: int) -> float:
        """Largest difference of the values that both trainers report over some steps, relative to the loss."""
        differences = []
        for _ in range(steps):
            reference = self.reference.step(self.batch(self.ours.epoch))
            ours = self.ours.run_epoch()
            differences += [abs(ours[name] - value) / ours["train/loss"] for name, value in reference.items()]
        return max(differences)


def synthetic_data(config: TrainConfig, count: int) -> TrainingData:
    """Random images of two a class, in memory."""
    dataset = config.dataset
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)
    images = LabelledImages(pixels, np.arange(count) // 2, tuple(str(label) for label in range(100)))
    store = ImageStore(pixels, dataset.mean, dataset.std, dataset.augmentation.padding, CPU)
    return TrainingData(StoredSplit(images, store), None, images.classes, "synthetic")


def measure() -> Finding:
    """Times both steps in turn, after a check that they compute the same; ours makes its batch within the time."""
    torch.set_num_threads(1)
    trainers = SideBySide()
    difference = trainers.relative_difference(CHECKED_STEPS)
    if difference > 1e-4:
        raise ArithmeticError(f"the two trainers differ by {difference:.1e}: their times cannot be compared")
    batch = trainers.batch(0)
    costs = interleave(
        ROUNDS,
        {
            "reference": lambda: seconds(lambda: trainers.reference.step(batch)),
            "ours": lambda: seconds(trainers.ours.run_epoch),
            "reference again": lambda: seconds(lambda: trainers.reference.step(batch)),
        },
    )
    speedup = ratio(costs, "reference", "ours")
    figures = {f"{name}, seconds a step": median(values) for name, values in costs.items()}
    figures |= {
        "reference / ours": speedup,
        "reference / reference again": ratio(costs, "reference", "reference again"),
        "largest relative difference of losses": difference,
    }
    return Finding(f"reference / ours >= {TARGET}", speedup >= TARGET, figures)
