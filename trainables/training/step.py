"""One training step: forward passes, loss, backward, SGD. The same function runs eagerly, compiled or as a CUDA graph.

Nothing here waits for the device. What differs between the trials of a study (loss weights, temperature, learning rate)
is a tensor that is filled in place, so that one compiled or recorded step serves all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainables.errors import CheckpointError
from trainables.interfaces import PROGRESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainables.interfaces import Batch, Method
    from trainables.training.network import Network


class TrainingStep:
    """Trains a network batch by batch.

    Args:
        network: Student, teacher and their arithmetic.
        method: Its numbers are read from ``values``, all else from its options.
        momentum: Of SGD, in [0, 1).
        weight_decay: L2 coefficient, on all parameters.

    Attributes:
        values: Numeric options of the method, and how far the run is, scalars on the device.
        optimizer: SGD without Nesterov; its learning rate is a scalar on the device.
    """

    def __init__(self, network: Network, method: Method, momentum: float, weight_decay: float) -> None:
        self._network = network
        self._method = method
        self._compiled: Callable[[Batch], tuple[Tensor, Tensor]] | None = None
        self._compiled_anchors = 0
        self._names: list[str] = []
        self._sums: Tensor | None = None
        self.values = numbers_of(method, network.device)
        self._kept = method.averaging()
        self.values[PROGRESS] = torch.zeros((), device=network.device)
        self._rate = torch.zeros((), device=network.device)
        self.optimizer = torch.optim.SGD(
            network.model.parameters(), lr=self._rate, momentum=momentum, weight_decay=weight_decay, fused=True
        )
        # Half precision loses small gradients unless the loss is scaled up; switched off it passes everything on.
        self._scaler = torch.amp.GradScaler(network.device.type, enabled=network.precision is torch.float16)
        self._first_scale = self._scaler.state_dict()
        self.restart(method)

    def restart(self, method: Method) -> None:
        """Begins a new training: the numbers of ``method``, whose other options are the same, and no momentum."""
        for name, value in numbers_of(method, self._network.device).items():
            self.values[name].copy_(value)
        self._scaler.load_state_dict(self._first_scale)
        if self._network.average is not None:
            self._network.average.begin()
        if self.optimizer.defaults["momentum"] == 0:
            return
        # From zeros SGD's first step is as any other: it neither makes the momentum nor runs a kernel of its own.
        for parameter in self._network.model.parameters():
            state = self.optimizer.state[parameter]
            state.setdefault("momentum_buffer", torch.zeros_like(parameter)).zero_()

    def state_dict(self) -> dict[str, Any]:
        """Momentum and loss scale, averaged weights if there are any, and on a GPU its generator's state."""
        state: dict[str, Any] = {"optimizer": self.optimizer.state_dict(), "scaler": self._scaler.state_dict()}
        if self._network.average is not None:
            state["average"] = self._network.average.model.state_dict()
        if self._network.device.type == "cuda":
            state["cuda_rng"] = torch.cuda.get_rng_state(self._network.device)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from ``state_dict``; values go where a recorded step expects them.

        Raises:
            CheckpointError: The method learns from averaged weights, and there are none.
        """
        saved = state["optimizer"]["state"]  # by number of the parameter; empty without momentum
        parameters = list(self._network.model.parameters())
        for number, buffers in saved.items():
            self.optimizer.state[parameters[number]]["momentum_buffer"].copy_(buffers["momentum_buffer"])
        self._scaler.load_state_dict(state["scaler"])
        if self._network.average is not None:
            if "average" not in state:
                raise CheckpointError("the checkpoint is of a method without averaged weights; train this run anew")
            self._network.average.model.load_state_dict(state["average"])
        if "cuda_rng" in state and self._network.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_rng"], self._network.device)

    def compile(self, anchors: int, backend: str = "inductor") -> None:
        """Compiles forward passes, loss and backward pass for batches of that many anchors, at the next step.

        Smaller ones, such as an epoch's last batch, run eagerly; each further shape would be compiled anew.
        """
        torch.compiler.reset()  # what earlier networks left counts against the number of versions that torch keeps
        self._compiled = torch.compile(self._loss_and_values, backend=backend, fullgraph=True, dynamic=False)
        self._compiled_anchors = anchors

    def begin_epoch(self, learning_rate: float, progress: float) -> None:
        """Puts the network into train mode and empties the sums.

        Args:
            learning_rate: Of all its steps.
            progress: The share of the run's epochs that lie behind, in [0, 1).
        """
        self._network.model.train()
        self.values[PROGRESS].fill_(progress)
        self._rate.fill_(learning_rate)
        if self._sums is not None:
            self._sums.zero_()

    def __call__(self, batch: Batch) -> None:
        """One step of SGD."""
        loss = self._compiled if len(batch.labels) == self._compiled_anchors else None
        total, values = (loss or self._loss_and_values)(batch)
        self.optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self.optimizer)
        self._scaler.update()
        if self._network.average is not None and self._kept is not None:
            self._network.average.follow(self.values[self._kept])
        if self._sums is None:
            self._sums = torch.zeros_like(values)
        self._sums.add_(values)

    def averages(self, anchors: int) -> dict[str, float]:
        """Averages of the epoch's steps over ``anchors``; the epoch's only wait for the device."""
        assert self._sums is not None  # noqa: S101 - splits refuse empty training data
        return dict(zip(self._names, (self._sums / anchors).tolist(), strict=True))

    def _loss_and_values(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What is minimised, and sums over the batch: the loss, its unweighted terms, wrong predictions."""
        terms = self._method.loss_terms(self._network, batch, self.values)
        named = {"train/loss": terms.total} | {f"train/{name}": part for name, part in terms.parts.items()}
        sums = [value.detach().float() * len(batch.labels) for value in named.values()]
        if terms.logits is not None:
            named["train/top1_error"] = wrong = (terms.logits.detach().argmax(dim=1) != batch.labels).sum()
            sums.append(wrong.float())
        self._names = list(named)
        return terms.total, torch.stack(sums)


def numbers_of(method: Method, device: torch.device) -> dict[str, Tensor]:
    """The numeric options of a method as scalar tensors."""
    options = {name: getattr(method, name) for name in type(method).model_fields}
    return {
        name: torch.tensor(float(value), device=device)
        for name, value in options.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
