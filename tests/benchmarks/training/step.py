"""S1: a CS-KD training step on the CPU against the reference's, PreAct ResNet-18, batch 128."""

import copy
from statistics import median

import numpy as np
import torch

from tests.benchmarks.material import cifar_shaped, stored
from tests.benchmarks.measuring import Finding, interleave, ratio, seconds
from tests.benchmarks.reference import ReferenceTrainer
from trainables.batches.input_pipeline import InputPipeline
from trainables.config import TrainConfig
from trainables.training.trainer import Trainer

TARGET = 1.15
BATCH = 128
ROUNDS = 5
CHECKED_STEPS = 2
CPU = torch.device("cpu")
Pairs = tuple[torch.Tensor, torch.Tensor]


class SideBySide:
    """Both trainers with the same weights and batches; an epoch is one step on synthetic images.

    Args:
        width: Width of the network; 64 in the paper.
        batch_size: Number of anchors per step.
        device: Device of both trainers, which use float32.
        lr: Learning rate. On noise, a step at the paper's 0.1 multiplies a rounding error by ten.
    """

    def __init__(self, width: int = 64, batch_size: int = BATCH, device: torch.device = CPU, lr: float = 0.01) -> None:
        config = TrainConfig(
            dataset="cifar100",
            model={"name": "preact_resnet18", "width": width},
            method="cs_kd",
            training={"batch_size": batch_size, "device": device.type, "lr": lr, "precision": "float32"},
        )
        data = stored(config, cifar_shaped(batch_size, classes=batch_size // 4), device)
        self.ours = Trainer(config, data, device)
        self._batches = InputPipeline(
            data.train.images,
            data.train.store,
            config.dataset.augmentation,
            config.method.views(),
            batch_size,
            config.seed,
            device,
        )
        model = copy.deepcopy(self.ours.model).to(memory_format=torch.contiguous_format)
        self.reference = ReferenceTrainer(model, config, device)

    def batch(self, epoch: int) -> Pairs:
        """Returns the project's batch of an epoch in the layout of the reference's loader (NCHW)."""
        [batch] = self._batches.batches(epoch)
        images = torch.cat([batch.views["anchor"], batch.views["partner"]]).contiguous()
        return images, batch.labels.repeat(2)

    def relative_difference(self, steps: int) -> float:
        """Returns the largest difference of the values reported by both trainers, relative to the loss."""
        differences = []
        for _ in range(steps):
            reference = self.reference.step(*self.batch(self.ours.epoch))
            ours = self.ours.run_epoch()
            differences += [abs(ours[name] - value) / ours["train/loss"] for name, value in reference.items()]
        return float(np.max(differences))


def measure() -> Finding:
    """Checks that both steps compute the same, then times them in turn; the project's time includes its batch."""
    torch.set_num_threads(1)
    trainers = SideBySide()
    difference = trainers.relative_difference(CHECKED_STEPS)
    if difference > 1e-4:
        raise ArithmeticError(f"the two trainers differ by {difference:.1e}: their times cannot be compared")
    batch = trainers.batch(0)
    costs = interleave(
        ROUNDS,
        {
            "reference": lambda: seconds(lambda: trainers.reference.step(*batch)),
            "ours": lambda: seconds(trainers.ours.run_epoch),
            "reference again": lambda: seconds(lambda: trainers.reference.step(*batch)),
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
