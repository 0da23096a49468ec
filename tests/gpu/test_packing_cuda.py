"""Runs that share a GPU, each in a separate process."""

import pytest
import torch

from tests.kit.inputs.training import small_config
from trainables.costs import side_by_side

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_two_runs_train_at_once_on_a_gpu() -> None:
    found = side_by_side.measure(small_config(device="cuda", lr=0.01), 2, seconds=1.0)
    assert len(found.epochs_per_second) == 2
    assert min(found.epochs_per_second) > 0
    assert found.device == torch.cuda.get_device_name()
    assert found.device_bytes > 100 << 20  # a CUDA context alone needs more
