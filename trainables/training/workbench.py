"""What training needs on a device, kept by the process from trial to trial: nothing is compiled or recorded again."""

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

COMPILE_SECONDS = 90  # of preact_resnet18 with an empty cache; 87 measured on a CPU
COMPILE_SAVING = 0.2  # of an epoch on a GPU whose step is recorded anyway; an estimate, for want of a measurement


class Workbench:
    """A network and the step that trains it.

    Args:
        config: Of the first run.
        classes: Of its data, in label order.
        size: Height and width of its images.
        device: Where it trains.
        precision: Arithmetic of the network.

    Attributes:
        key: Equal for runs that can follow each other here.
        train: One step on a batch.
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
        """Whether the next run saves more than building a network."""
        return self._records or self.is_compiled

    def restart(self, config: TrainConfig, classes: tuple[str, ...], size: tuple[int, int]) -> None:
        """Makes everything as it was when built for ``config``, in place, where recordings expect it."""
        fresh, own = fresh_model(config, classes, size), self.network.model
        with torch.no_grad():
            for kind in ("named_parameters", "named_buffers"):
                places = dict(getattr(own, kind)())
                for name, value in getattr(fresh, kind)():
                    places[name].copy_(value)
        self.step.restart(config.method)

    def compile(self, backend: str = "inductor") -> None:
        """Compiles the step; what torch compiled before, in any process of this user, comes from its cache."""
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
    """A workbench for a run, as good as new: the one that the process keeps if it fits, else one that is built.

    One that does not fit is dropped first, and its memory handed back to the device.
    """
    kept = _kept.pop() if _kept else None
    if kept is not None and kept.key == key_of(config, classes, size, device, precision):
        kept.restart(config, classes, size)
        return kept
    if kept is not None:
        del kept
        _hand_memory_back()
    return Workbench(config, classes, size, device, precision)


def give_back(workbench: Workbench) -> None:
    """Keeps a workbench that its run needs no longer, in place of any other."""
    if workbench.worth_keeping:
        _kept[:] = [workbench]


def key_of(
    config: TrainConfig,
    classes: tuple[str, ...],
    size: tuple[int, int],
    device: torch.device,
    precision: torch.dtype,
) -> str:
    """Digest of what decides the shape of a step; of a method's real numbers, which are zero: that may drop a term."""
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
    """The run's network with the initial weights of its seed, on the CPU."""
    torch.manual_seed(config.seed)
    return build_network(config.model, config.method, len(classes), *size)


def _model_on(device: torch.device, model: nn.Module) -> nn.Module:
    if device.type == "cpu":
        model = without_unsafe_strides(model)
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def pays_to_compile(remaining_seconds: float) -> bool:
    """Whether compiling saves more of the training that a trial still has before it than it costs."""
    return remaining_seconds * COMPILE_SAVING > COMPILE_SECONDS


def _hand_memory_back() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
