"""Time of the parts of a training step, in the project and in the reference, on a CPU or a GPU."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tests.benchmarks.measuring import Finding
from tests.benchmarks.training.step import SideBySide

STEPS = 3


class Clock:
    """Measures seconds by part."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._device = device

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measures the block; on a GPU waits for submitted work before and after it."""
        start = self._now()
        yield
        self.seconds[name] += self._now() - start

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def our_parts(trainers: SideBySide, steps: int, device: torch.device) -> dict[str, float]:
    """Returns the seconds of the parts of the project's step, in order."""
    clock, step = Clock(device), trainers.ours._workbench.step
    network, method = trainers.ours._workbench.network, trainers.ours.config.method
    network.model.train()
    for epoch in range(steps):
        with clock.part("input"):
            [batch] = trainers.ours._pipeline.batches(epoch)
        with clock.part("evaluation"):
            network.model.eval()
            with torch.inference_mode():
                network.student(batch.views["anchor"])
            network.model.train()
        with clock.part("partners"):
            network.teacher(batch.views["partner"])
        with clock.part("anchors"):
            network.student(batch.views["anchor"])
        with clock.part("passes and loss"):
            terms = method.loss_terms(network, batch, step.values)
        with clock.part("backward"):
            step.optimizer.zero_grad(set_to_none=True)
            terms.total.backward()
        with clock.part("SGD"):
            step.optimizer.step()
    found = dict(clock.seconds)
    found["loss"] = max(found.pop("passes and loss") - found["partners"] - found["anchors"], 0.0)
    return found


def reference_parts(trainers: SideBySide, steps: int, device: torch.device) -> dict[str, float]:
    """Returns the seconds of the parts of the reference's step, without its loader."""
    clock, reference = Clock(device), trainers.reference
    reference.model.train()
    images, labels = trainers.batch(0)
    anchors, partners = images.chunk(2)
    labels = labels[: len(anchors)]
    for _ in range(steps):
        with clock.part("anchors"):
            logits = reference.forward_anchors(anchors)
        with clock.part("partners"):
            teacher = reference.forward_partners(partners)
        with clock.part("loss"):
            loss = torch.nn.functional.cross_entropy(logits, labels) + reference.distillation(logits, teacher)
            loss.item()
        with clock.part("backward"):
            reference.model.zero_grad()
            loss.backward()
    return dict(clock.seconds)


def measure(width: int = 64, batch_size: int = 128, device: torch.device | None = None) -> Finding:
    """Measures the seconds per step by part, and each part's share of the project's training step."""
    torch.set_num_threads(1)
    place = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trainers = SideBySide(width, batch_size, place)
    our_parts(trainers, 1, place)
    ours, reference = our_parts(trainers, STEPS, place), reference_parts(trainers, STEPS, place)
    trained = sum(seconds for name, seconds in ours.items() if name != "evaluation")
    figures = {f"ours, {name}, seconds a step": seconds / STEPS for name, seconds in ours.items()}
    figures |= {f"reference, {name}, seconds a step": seconds / STEPS for name, seconds in reference.items()}
    figures |= {f"ours, {name}, share of a step": x / trained for name, x in ours.items() if name != "evaluation"}
    return Finding("none: a description", True, figures)
