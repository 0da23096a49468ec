"""Records the training step as a CUDA graph and replays it, so that the GPU does not wait for Python's launches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import torch

from trainables.errors import ConfigError
from trainables.interfaces import Batch, Mixing

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

WARM_UP = 3  # steps before recording, in which libraries select kernels and create lazy state


class Recorder(Protocol):
    """Protocol for running and recording functions whose tensors keep their addresses."""

    def run(self, function: Callable[[], None]) -> None:
        """Runs the function in the same way as a recording would run."""

    def record(self, function: Callable[[], None]) -> Callable[[], None]:
        """Records the function without running it; calling the result replays it."""


class CudaGraphs:
    """Records CUDA graphs. Warm-up and recording use the same side stream, as PyTorch requires."""

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def run(self, function: Callable[[], None]) -> None:
        """Runs the function on the side stream, in order with the work before and after it."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            function()
        torch.cuda.current_stream().wait_stream(self._stream)

    def record(self, function: Callable[[], None]) -> Callable[[], None]:
        """Records the function's kernels as a graph.

        Raises:
            ConfigError: The function waits for the device, which a graph cannot do.
        """
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads may keep using CUDA, for example to pin memory for the next batches.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                function()
        except RuntimeError as error:
            why = str(error).splitlines()[0]
            raise ConfigError(
                f"the training step cannot be recorded as a CUDA graph ({why}); a method or model that reads values of "
                "the device, as item() does, needs training.cuda_graph: never"
            ) from error
        return graph.replay


class RecordedStep:
    """A training step that is recorded for batches with the shape of the first one.

    Other batches, such as the last one of an epoch, are not replayed but run directly: padding them would change their
    batch-norm statistics.

    Args:
        step: Function that trains on a batch without waiting for the device.
        recorder: Recorder of the step; ``CudaGraphs`` on a GPU.
    """

    def __init__(self, step: Callable[[Batch], None], recorder: Recorder) -> None:
        self._step = step
        self._recorder = recorder
        self._seen = 0
        self._static: Batch | None = None
        self._replay: Callable[[], None] | None = None

    def __call__(self, batch: Batch) -> None:
        """Trains on one batch."""
        if self._static is None:
            self._static = _copy_of(batch)
        if [tensor.shape for tensor in _tensors(batch)] != [tensor.shape for tensor in _tensors(self._static)]:
            self._recorder.run(lambda: self._step(batch))
            return
        for target, tensor in zip(_tensors(self._static), _tensors(batch), strict=True):
            target.copy_(tensor)
        static = self._static
        if self._replay is None and self._seen >= WARM_UP:
            self._replay = self._recorder.record(lambda: self._step(static))
        if self._replay is None:
            self._seen += 1
            self._recorder.run(lambda: self._step(static))
        else:
            self._replay()


def _tensors(batch: Batch) -> list[Tensor]:
    mixing = [] if batch.mixing is None else [batch.mixing.share, batch.mixing.order]
    return [*batch.views.values(), batch.labels, *mixing]


def _copy_of(batch: Batch) -> Batch:
    views = {name: images.clone() for name, images in batch.views.items()}
    mixing = batch.mixing and Mixing(batch.mixing.share.clone(), batch.mixing.order.clone())
    return replace(batch, views=views, labels=batch.labels.clone(), mixing=mixing)
