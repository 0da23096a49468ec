"""Keeps network and training step on the device between runs, so that they are not compiled or recorded again."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trainables.files.durable import digest_of
from trainables.training.cuda_graph import CudaGraphs, RecordedStep
from trainables.training.network import Network, build_network
from trainables.training.pretrained import load_teacher
from trainables.training.safe_strides import without_unsafe_strides
from trainables.training.step import TrainingStep

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from trainables.config import TrainConfig
    from trainables.interfaces import Batch

COMPILE_SECONDS = 90  # to compile preact_resnet18 with an empty cache; 87 measured on a CPU
COMPILE_SAVING = 0.2  # fraction of an epoch on a GPU with a recorded step; estimated, not measured


class Workbench:
    """A network and its training step, reusable by consecutive runs.

    Args:
        config: Configuration of the first run.
        classes: Class names of its data set, in label order.
        size: Height and width of its images in pixels.
        device: Device of the network.
        precision: Floating-point type of the forward passes.

    Attributes:
        key: Digest that is equal for runs that can share the workbench.
        network: Network and its forward passes.
        step: Training step, as it runs eagerly.
        is_compiled: Whether the step is compiled.
        train: Function that trains on one batch: the step, or its recording.
    """

    def __init__(
        self,
        config: TrainConfig,
        classes: tuple[str, ...],
        size: tuple[int, int],
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        self.key = key_of(config, classes, size, device, precision)
        training, declared = config.training, config.method.pretrained()
        teacher = None if declared is None else load_teacher(declared, classes, size, device, precision)
        model = _model_on(device, fresh_model(config, classes, size))
        self.network = Network(model, device, precision, teacher, averages=config.method.averaging() is not None)
        self.step = TrainingStep(self.network, config.method, training.momentum, training.weight_decay)
        self.is_compiled = False
        self._anchors = training.batch_size
        self.train: Callable[[Batch], None] = self.step
        self._records = device.type == "cuda" and training.cuda_graph == "auto"
        if training.compile == "always":
            self.compile()
        else:
            self._record()

    @property
    def worth_keeping(self) -> bool:
        """Whether reuse saves more than the construction of a network."""
        return self._records or self.is_compiled

    def restart(self, config: TrainConfig, classes: tuple[str, ...], size: tuple[int, int]) -> None:
        """Restores the initial state for ``config`` in place, because recordings expect the same tensors.

        Args:
            config: Configuration of the next run, with the same ``key``.
            classes: Class names of its data set, in label order.
            size: Height and width of its images in pixels.
        """
        fresh, reused = fresh_model(config, classes, size), self.network.model
        with torch.no_grad():
            for kind in ("named_parameters", "named_buffers"):
                targets = dict(getattr(reused, kind)())
                for name, value in getattr(fresh, kind)():
                    targets[name].copy_(value)
        self.step.restart(config.method)

    def compile(self, backend: str = "inductor") -> None:
        """Compiles the step, with torch's compilation cache in the user's cache folder."""
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(home / "cskd" / "inductor"))
        self.step.compile(self._anchors, backend)
        self.is_compiled = True
        self._record()

    def _record(self) -> None:
        if self._records:
            self.train = RecordedStep(self.step, CudaGraphs())


_kept: list[Workbench] = []  # at most one


def take(
    config: TrainConfig,
    classes: tuple[str, ...],
    size: tuple[int, int],
    device: torch.device,
    precision: torch.dtype,
) -> Workbench:
    """Returns a workbench in its initial state: the one that the process keeps if it fits, else a new one.

    A kept workbench that does not fit is deleted first, and its memory is released.

    Args:
        config: Configuration of the run.
        classes: Class names of its data set, in label order.
        size: Height and width of its images in pixels.
        device: Device of the run.
        precision: Floating-point type of the forward passes.
    """
    kept = _kept.pop() if _kept else None
    if kept is not None and kept.key == key_of(config, classes, size, device, precision):
        kept.restart(config, classes, size)
        return kept
    if kept is not None:
        del kept
        _release_memory()
    return Workbench(config, classes, size, device, precision)


def give_back(workbench: Workbench) -> None:
    """Keeps a workbench for the next run of this process, instead of any other; its run must have ended."""
    if workbench.worth_keeping:
        _kept[:] = [workbench]


def key_of(
    config: TrainConfig,
    classes: tuple[str, ...],
    size: tuple[int, int],
    device: torch.device,
    precision: torch.dtype,
) -> str:
    """Digest of all options that affect the operations of a step.

    A method's real-valued options count only by whether they are zero, which may remove a loss term.
    """
    method = {
        name: value != 0 if isinstance(value, float) else value
        for name, value in config.method.model_dump(mode="json").items()
    }
    training = config.training.model_dump(
        mode="json", include={"batch_size", "momentum", "weight_decay", "compile", "cuda_graph"}
    )
    parts: list[Any] = [
        config.model.model_dump(mode="json"),
        config.method.part_name(),
        config.method.averaging(),
        method,
        training,
    ]
    return digest_of([*parts, classes, size, str(device), str(precision)])


def fresh_model(config: TrainConfig, classes: tuple[str, ...], size: tuple[int, int]) -> nn.Module:
    """Network of a run with the initial weights of its seed, on the CPU."""
    torch.manual_seed(config.seed)
    return build_network(config.model, config.method, len(classes), *size)


def _model_on(device: torch.device, model: nn.Module) -> nn.Module:
    if device.type == "cpu":
        model = without_unsafe_strides(model)
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def pays_to_compile(remaining_seconds: float) -> bool:
    """Whether compilation takes less time than it saves in the remaining training time of a run.

    Args:
        remaining_seconds: Remaining training time without compilation, in seconds.
    """
    return remaining_seconds * COMPILE_SAVING > COMPILE_SECONDS


def _release_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
