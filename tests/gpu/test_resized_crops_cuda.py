"""Crops on a GPU equal those on a CPU: exactly if the CPU makes them, else to one grey level."""

import threading

import numpy as np
import pytest
import torch

from tests.kit.inputs.crops import AMPLE, assert_same_batches, crop_pipeline, snapshots
from tests.kit.inputs.training import small_config, trainer_of
from trainables.files.prefetch import THREAD_NAME

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("memory_limit", "ahead", "most"),
    [(AMPLE, 0, 2), (0, 0, 0), (0, 1, 0), (0, 8, 0)],
    ids=["resident", "not ahead", "one ahead", "eight ahead"],
)
def test_a_gpu_makes_the_batches_of_a_cpu(memory_limit, ahead, most):
    on_gpu = crop_pipeline(CUDA, memory_limit=memory_limit, ahead=ahead)
    assert_same_batches(list(on_gpu.batches(3)), crop_pipeline(CPU).batches(3), most)


def test_batches_prepared_ahead_equal_the_resident_ones():
    ahead, resident = (crop_pipeline(CUDA, memory_limit=limit) for limit in (0, AMPLE))
    assert ahead._store.ahead > 0
    assert resident._store.ahead == 0
    assert_same_batches(list(ahead.batches(0)), list(resident.batches(0)), most=2)


def test_pinned_memory_is_not_written_before_it_has_been_copied():
    """The device is kept busy, so that copies start long after their buffers were released."""
    pipeline = crop_pipeline(CUDA, memory_limit=0)
    busy = torch.randn(4096, 4096, device=CUDA)
    found = []
    for epoch in range(20):
        for _ in range(20):
            busy = (busy @ busy).clamp_(-1, 1)
        found.extend(pipeline.batches(epoch))
    torch.cuda.synchronize()
    expected = (batch for epoch in range(20) for batch in crop_pipeline(CPU).batches(epoch))
    assert_same_batches(found, expected)


@pytest.mark.parametrize("cuda_graph", ["auto", "never"])
def test_training_on_crops_prepared_ahead_is_the_same(cuda_graph):
    """The step is recorded while threads prepare crops."""

    def losses(device: str) -> list[float]:
        training = {"device": device, "precision": "float32", "lr": 0.01, "compile": "never", "cuda_graph": cuda_graph}
        made = trainer_of(small_config(dataset=snapshots(memory_limit=0), **training))
        return [made.run_epoch()["train/loss"] for _ in range(3)]

    assert losses("cuda") == pytest.approx(losses("cpu"), rel=1e-3)
    assert not any(thread.name.startswith(THREAD_NAME) for thread in threading.enumerate())


def test_evaluation_of_crops_prepared_ahead_is_the_same():
    values = []
    for device in ("cpu", "cuda"):
        made = trainer_of(small_config(dataset=snapshots(memory_limit=0), device=device, precision="float32"))
        values.append(made.predict(made._data.validation).logits)
    np.testing.assert_allclose(values[1], values[0], rtol=1e-3, atol=1e-4)
