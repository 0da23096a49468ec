"""S6c: number of reads from the device in a training epoch, and the idle share of the GPU."""

import torch
from torch.profiler import ProfilerActivity, profile

from tests.benchmarks.gpu.step import wait_for
from tests.benchmarks.material import cifar100
from tests.benchmarks.measuring import Finding, seconds
from trainables.config import TrainConfig
from trainables.training.trainer import Trainer
from trainables.training.training_data import TrainingData, open_training_data

MOST_READS = 5
MOST_IDLE = 0.05
READS_ON_CPU = ("aten::_local_scalar_dense", "aten::nonzero")  # operations that would wait for a GPU


def waits_of(config: TrainConfig, data: TrainingData, device: torch.device) -> dict[str, float]:
    """Returns the reads from the device in the second epoch, and on a GPU the share of its time without a kernel."""
    trainer = Trainer(config, data, device)
    trainer.run_epoch()
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiled:
        trainer.run_epoch()
        wait_for(device)
    if not on_gpu:
        reads = sum(event.count for event in profiled.key_averages() if event.key in READS_ON_CPU)
        return {"reads from the device in an epoch": float(reads)}
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in profiled.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    ]
    copies = sum("DtoH" in event.name for event in profiled.events())
    wall = 1e6 * seconds(lambda: (trainer.run_epoch(), wait_for(device)))
    return {"reads from the device in an epoch": float(copies), "idle share of the GPU": 1 - busy(spans) / wall}


def busy(spans: list[tuple[float, float]]) -> float:
    """Returns the length of the union of spans.

    Example:
        >>> busy([(0, 2), (1, 3), (5, 6)])
        4.0
    """
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return total


def measure() -> Finding:
    """Measures an epoch of CIFAR-100 with PreAct ResNet-18."""
    device = torch.device("cuda")
    dataset = cifar100()
    config = TrainConfig(dataset=dataset, model="preact_resnet18", method="cs_kd", training={"device": "cuda"})
    figures = waits_of(config, open_training_data(dataset, "train", device), device)
    met = figures["reads from the device in an epoch"] <= MOST_READS and figures["idle share of the GPU"] <= MOST_IDLE
    return Finding(f"<= {MOST_READS} reads, <= {MOST_IDLE:.0%} idle", met, figures)
