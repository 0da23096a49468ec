"""A run on a GPU that is killed and resumed gives the same results."""

import pytest
import torch

from tests.kit.inputs.training import CS_KD_E, DropoutNet, small_config, weights
from trainables.training.run import Run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
EPOCHS, KILLED = 5, 3
DROPOUT = f"{DropoutNet.__module__}:DropoutNet"


def advance(run: Run, epochs: int) -> list[dict[str, float]]:
    """Trains a number of epochs; returns their metrics after pending writes are complete."""
    found = [run.advance().metrics for _ in range(epochs)]
    run._writer.wait()
    return found


@pytest.mark.parametrize("cuda_graph", ["auto", "never"])
@pytest.mark.parametrize(("method", "model"), [(CS_KD_E, None), ("mixup", None), ("cross_entropy", DROPOUT)])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, method, model, cuda_graph):
    training = {"device": "cuda", "precision": "float32", "compile": "never", "cuda_graph": cuda_graph, "lr": 0.01}
    config = small_config(method, model=model, epochs=EPOCHS, **training)
    unbroken = Run(config, tmp_path / "unbroken")
    expected = advance(unbroken, EPOCHS)
    advance(Run(config, tmp_path / "broken"), KILLED)  # abandoned without cleanup, as after a kill
    resumed = Run(config, tmp_path / "broken", attempt=2)
    assert resumed.epoch == KILLED
    for found, wanted in zip(advance(resumed, EPOCHS - KILLED), expected[KILLED:], strict=True):
        assert found == pytest.approx(wanted, rel=1e-4)
    for one, other in zip(weights(resumed._trainer), weights(unbroken._trainer), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
