"""S11: accuracy equals the reference's: 20 steps with equal weights, and the final error over paired seeds."""

import statistics
from statistics import mean

import numpy as np
import torch

from tests.benchmarks.measuring import Finding
from tests.benchmarks.reference import PilImages, ReferenceTrainer, pair_loader, transforms_of
from tests.benchmarks.training.step import SideBySide
from trainables.config import TrainConfig
from trainables.metrics import classification
from trainables.training.trainer import Trainer
from trainables.training.training_data import open_training_data

STEPS = 20
LARGEST_DIFFERENCE = 1e-4
SEEDS = 8
EPOCHS = 30
CPU = torch.device("cpu")


def digits(seed: int, epochs: int) -> TrainConfig:
    """Returns the configuration of a digits run with the preset's step schedule."""
    return TrainConfig.model_validate(
        {
            "dataset": {"name": "digits", "validation": {"per_class": 74}},
            "model": {"name": "preact_resnet10", "width": 8, "input_size": 8},
            "method": {"name": "cs_kd", "temperature": 4.0, "lambda_cls": 1.0},
            "training": {"epochs": epochs, "batch_size": 32, "lr": 0.1, "device": "cpu"},
            "seed": seed,
        }
    )


def our_error(config: TrainConfig) -> float:
    """Returns the project's validation error in [0, 1] after the last epoch."""
    data = open_training_data(config.dataset, "train", CPU)
    trainer = Trainer(config, data, CPU)
    for _ in range(config.training.epochs):
        trainer.run_epoch()
    return trainer.evaluate(data.validation, "validation", final=False)[0]["validation/top1_error"]


def reference_error(config: TrainConfig) -> float:
    """Returns the reference's validation error in [0, 1], with its own order, partners, crops and initial weights."""
    data = open_training_data(config.dataset, "train", CPU)
    torch.manual_seed(config.seed)
    trainer = ReferenceTrainer(config.model.build(len(data.classes)), config, CPU)
    augmented, _ = transforms_of(config.dataset, size=8)
    loader = pair_loader(PilImages(data.train.images, augmented), config.training.batch_size, 0, config.seed)
    for epoch in range(config.training.epochs):
        trainer.run_epoch(loader, config.training.learning_rate(epoch))
    validation = data.validation
    trainer.model.eval()
    with torch.no_grad():
        logits = trainer.model(validation.store.plain(torch.arange(len(validation.images.labels))).contiguous())
    return classification.top_k_error(logits.numpy(), validation.images.labels, 1)


def compare(seeds: int, epochs: int) -> dict[str, float]:
    """Returns the mean final errors over seeds and Student's 95 % interval of the paired difference."""
    from analysis.statistics.over_seeds import paired_difference

    configs = [digits(seed, epochs) for seed in range(seeds)]
    reference, ours = [reference_error(each) for each in configs], [our_error(each) for each in configs]
    found = paired_difference(ours, reference)
    assert found.interval is not None
    return {
        "reference, final error": mean(reference),
        "ours, final error": mean(ours),
        "reference, spread over seeds": statistics.stdev(reference),
        "ours - reference, lower end of 95 %": found.interval.low,
        "ours - reference, upper end of 95 %": found.interval.high,
    }


def measure() -> Finding:
    """Compares steps with equal weights and batches, then whole runs of the same task."""
    torch.set_num_threads(1)
    difference = SideBySide(width=16, lr=0.002).relative_difference(STEPS)
    figures = {f"largest relative difference of {STEPS} losses": difference} | compare(SEEDS, EPOCHS)
    low, high = (figures[f"ours - reference, {end} end of 95 %"] for end in ("lower", "upper"))
    same = bool(np.sign(low) <= 0 <= np.sign(high))
    target = f"losses within {LARGEST_DIFFERENCE:g}; the interval of the difference holds 0"
    return Finding(target, difference <= LARGEST_DIFFERENCE and same, figures)
