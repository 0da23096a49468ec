"""S5, S7: training steps on a GPU in each execution mode, against the reference and the hardware limit."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from tests.benchmarks.measuring import Finding, interleave, ratio, seconds
from tests.benchmarks.reference import ReferenceTrainer
from trainables.config import TrainConfig
from trainables.interfaces import Batch
from trainables.training.device import choose_precision
from trainables.training.workbench import Workbench

ROUNDS = 5
STEPS = 50
WAYS = {
    "eager": {"compile": "never", "cuda_graph": "never"},
    "recorded": {"compile": "never", "cuda_graph": "auto"},
    "compiled": {"compile": "always", "cuda_graph": "auto"},
}


@dataclass(frozen=True)
class Cell:
    """Network and batch with the limit of an H200 and the targets.

    Attributes:
        dataset: Name of the data set.
        model: Configuration of the network.
        size: Height and width of the images in pixels.
        batch: Number of anchors per step.
        floor: Largest samples per second by arithmetic and memory traffic of one H200 (a sample is an anchor with its
            partner).
        share: Target as a fraction of ``floor``.
        speedup: Target speed-up over the reference's step; 0 for none.
    """

    dataset: str
    model: dict[str, object]
    size: int
    batch: int
    floor: float
    share: float
    speedup: float = 0.0

    @property
    def name(self) -> str:
        """Name such as ``resnet18@224``."""
        return f"{self.model['name']}@{self.size}"


CELLS = (
    Cell("cifar100", {"name": "preact_resnet18"}, 32, 128, 82_600, 0.60, 4.0),
    Cell("cifar100", {"name": "densenet121_cifar"}, 32, 128, 17_800, 0.45),
    Cell("cub200", {"name": "resnet18"}, 224, 32, 23_100, 0.50),
)


def config_of(cell: Cell, device: torch.device, way: str) -> TrainConfig:
    """Returns the configuration of a CS-KD run of a cell."""
    training = {"batch_size": cell.batch, "lr": 0.01, "device": device.type} | WAYS[way]
    return TrainConfig.model_validate(
        {"dataset": cell.dataset, "model": cell.model, "method": "cs_kd", "training": training}
    )


def random_batch(cell: Cell, classes: int, device: torch.device) -> Batch:
    """Returns random anchors and partners in the layout of the input pipeline."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, cell.batch, 3, cell.size, cell.size, generator=generator).to(device)
    anchor, partner = (each.contiguous(memory_format=torch.channels_last) for each in images)
    labels = torch.randint(0, classes, (cell.batch,), generator=generator).to(device)
    return Batch({"anchor": anchor, "partner": partner}, labels)


def our_step(cell: Cell, device: torch.device, way: str, classes: int) -> Callable[[], None]:
    """Returns a function that runs the project's step, always on the same batch."""
    config = config_of(cell, device, way)
    precision = choose_precision("auto", device)
    bench = Workbench(config, tuple(map(str, range(classes))), (cell.size, cell.size), device, precision)
    bench.step.begin_epoch(config.training.lr, 0)
    batch = random_batch(cell, classes, device)
    return lambda: bench.train(batch)


def reference_step(cell: Cell, device: torch.device, classes: int) -> Callable[[], None]:
    """Returns a function that runs the reference's step, always on the same batch, which is on the device."""
    config = config_of(cell, device, "eager")
    batch = random_batch(cell, classes, device)
    images = torch.cat([batch.views["anchor"], batch.views["partner"]]).contiguous()
    labels = batch.labels.repeat(2)
    trainer = ReferenceTrainer(copy.deepcopy(config.model.build(classes)), config, device)
    return lambda: trainer.step(images, labels) and None


def timed(step: Callable[[], None], steps: int, device: torch.device) -> float:
    """Returns the seconds per step, including the work of the device."""

    def work() -> None:
        for _ in range(steps):
            step()
        wait_for(device)

    wait_for(device)
    return seconds(work) / steps


def wait_for(device: torch.device) -> None:
    """Waits until the device has finished all submitted work."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def compare(cell: Cell, device: torch.device, ways: tuple[str, ...], rounds: int, steps: int) -> dict[str, float]:
    """Measures the samples per second of each mode and of the reference in turn; returns these and the ratios."""
    classes = 100
    variants = {"reference": reference_step(cell, device, classes)}
    variants |= {way: our_step(cell, device, way, classes) for way in ways}
    for step in variants.values():
        timed(step, 6, device)  # warm-up: selects, compiles and records kernels
    variants["reference again"] = variants["reference"]
    costs = interleave(rounds, {name: lambda step=step: timed(step, steps, device) for name, step in variants.items()})
    figures = {f"{cell.name}, {name}, samples a second": cell.batch / median(costs[name]) for name in costs}
    figures |= {f"{cell.name}, reference / {way}": ratio(costs, "reference", way) for way in ways}
    figures[f"{cell.name}, reference / reference again"] = ratio(costs, "reference", "reference again")
    best = max(figures[f"{cell.name}, {way}, samples a second"] for way in ways)
    figures[f"{cell.name}, best of ours, share of an H200's floor"] = best / cell.floor
    return figures


def measure() -> Finding:
    """Measures all cells; shares refer to an H200's limit and are less meaningful on another GPU."""
    figures: dict[str, float] = {}
    met = True
    for cell in CELLS:
        found = compare(cell, torch.device("cuda"), tuple(WAYS), ROUNDS, STEPS)
        figures |= found
        met &= found[f"{cell.name}, best of ours, share of an H200's floor"] >= cell.share
        met &= max(found[f"{cell.name}, reference / {way}"] for way in WAYS) >= cell.speedup
    target = "; ".join(f"{cell.name} >= {cell.share:.0%} of the floor" for cell in CELLS)
    return Finding(f"{target}; {CELLS[0].name} >= {CELLS[0].speedup:g} x the reference", bool(met), figures)
