"""One training step: forward passes, loss, backward pass, SGD; runs eagerly, compiled or as a CUDA graph.

A step never waits for the device. Values that differ between the trials of a study (loss weights, temperature, learning
rate) are tensors that are filled in place, so that all trials share one compiled or recorded step.
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
        network: Network and its forward passes.
        method: Training objective. Its numeric options are read from ``values``, the others from the method itself.
        momentum: Momentum of SGD, in [0, 1).
        weight_decay: L2 coefficient on all parameters, at least 0.

    Attributes:
        values: Numeric options of the method and the progress of the run, scalars on the device.
        optimizer: SGD without Nesterov momentum; its learning rate is a scalar on the device.
    """

    def __init__(self, network: Network, method: Method, momentum: float, weight_decay: float) -> None:
        self._network = network
        self._method = method
        self._compiled: Callable[[Batch], tuple[Tensor, Tensor]] | None = None
        self._compiled_anchors = 0
        self._names: list[str] = []
        self._sums: Tensor | None = None
        self.values = numbers_of(method, network.device)
        self._decay_name = method.averaging()
        self.values[PROGRESS] = torch.zeros((), device=network.device)
        self._rate = torch.zeros((), device=network.device)
        self.optimizer = torch.optim.SGD(
            network.model.parameters(), lr=self._rate, momentum=momentum, weight_decay=weight_decay, fused=True
        )
        # float16 loses small gradients unless the loss is scaled up; a disabled scaler changes nothing.
        self._scaler = torch.amp.GradScaler(network.device.type, enabled=network.precision is torch.float16)
        self._first_scale = self._scaler.state_dict()
        self.restart(method)

    def restart(self, method: Method) -> None:
        """Starts another run: loads the numeric options of ``method`` and resets momentum, loss scale and averages.

        Args:
            method: Method of the run; its options that are not numbers must be those of the first run.
        """
        for name, value in numbers_of(method, self._network.device).items():
            self.values[name].copy_(value)
        self._scaler.load_state_dict(self._first_scale)
        if self._network.average is not None:
            self._network.average.reset()
        if self.optimizer.defaults["momentum"] == 0:
            return
        # With zero momentum SGD's first step is like any other, so it can be recorded.
        for parameter in self._network.model.parameters():
            state = self.optimizer.state[parameter]
            state.setdefault("momentum_buffer", torch.zeros_like(parameter)).zero_()

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint: momentum, loss scale, averaged weights if any, and the GPU's random state."""
        state: dict[str, Any] = {"optimizer": self.optimizer.state_dict(), "scaler": self._scaler.state_dict()}
        if self._network.average is not None:
            state["average"] = self._network.average.model.state_dict()
        if self._network.device.type == "cuda":
            state["cuda_rng"] = torch.cuda.get_rng_state(self._network.device)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of ``state_dict`` in place, because a recorded step expects the same tensors.

        Raises:
            CheckpointError: The method uses averaged weights, and the state holds none.
        """
        saved = state["optimizer"]["state"]  # by index of the parameter; empty without momentum
        parameters = list(self._network.model.parameters())
        for number, buffers in saved.items():
            self.optimizer.state[parameters[number]]["momentum_buffer"].copy_(buffers["momentum_buffer"])
        self._scaler.load_state_dict(state["scaler"])
        if self._network.average is not None:
            if "average" not in state:
                raise CheckpointError("the checkpoint is of a method without averaged weights; start this run again")
            self._network.average.model.load_state_dict(state["average"])
        if "cuda_rng" in state and self._network.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_rng"], self._network.device)

    def compile(self, anchors: int, backend: str = "inductor") -> None:
        """Compiles forward passes, loss and backward pass at the next step with a full batch.

        Smaller batches, such as the last one of an epoch, run eagerly, because each shape needs a compilation.

        Args:
            anchors: Number of anchors in a full batch.
            backend: Backend of ``torch.compile``.
        """
        torch.compiler.reset()  # code of earlier networks counts towards torch's limit of recompilations
        self._compiled = torch.compile(self._loss_and_values, backend=backend, fullgraph=True, dynamic=False)
        self._compiled_anchors = anchors

    def begin_epoch(self, learning_rate: float, progress: float) -> None:
        """Switches the network to train mode and resets the sums.

        Args:
            learning_rate: Learning rate of the epoch.
            progress: Fraction of the run's epochs that are finished, in [0, 1).
        """
        self._network.model.train()
        self.values[PROGRESS].fill_(progress)
        self._rate.fill_(learning_rate)
        if self._sums is not None:
            self._sums.zero_()

    def __call__(self, batch: Batch) -> None:
        """Trains on one batch with one step of SGD."""
        loss = self._compiled if len(batch.labels) == self._compiled_anchors else None
        total, values = (loss or self._loss_and_values)(batch)
        self.optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self.optimizer)
        self._scaler.update()
        if self._network.average is not None and self._decay_name is not None:
            self._network.average.update(self.values[self._decay_name])
        if self._sums is None:
            self._sums = torch.zeros_like(values)
        self._sums.add_(values)

    def averages(self, anchors: int) -> dict[str, float]:
        """Averages of the epoch's loss terms and error over ``anchors``; waits for the device, once per epoch."""
        assert self._sums is not None  # noqa: S101 - splits refuse empty training data
        return dict(zip(self._names, (self._sums / anchors).tolist(), strict=True))

    def _loss_and_values(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss to minimise, and sums over the batch of loss, unweighted terms and wrong predictions."""
        terms = self._method.loss_terms(self._network, batch, self.values)
        named = {"train/loss": terms.total} | {f"train/{name}": part for name, part in terms.parts.items()}
        sums = [value.detach().float() * len(batch.labels) for value in named.values()]
        if terms.logits is not None:
            named["train/top1_error"] = wrong = (terms.logits.detach().argmax(dim=1) != batch.labels).sum()
            sums.append(wrong.float())
        self._names = list(named)
        return terms.total, torch.stack(sums)


def numbers_of(method: Method, device: torch.device) -> dict[str, Tensor]:
    """Numeric options of a method as float32 scalar tensors on ``device``."""
    options = {name: getattr(method, name) for name in type(method).model_fields}
    return {
        name: torch.tensor(float(value), device=device)
        for name, value in options.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
