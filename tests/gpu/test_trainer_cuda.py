"""The trainer on a GPU; run it from the source tree: ``python3 -m pytest tests/gpu``."""

import pytest
import torch

from tests.kit.inputs.training import trainer_of
from trainables.config import TrainConfig

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")


def losses(device: str, precision: str, epochs: int = 3) -> list[float]:
    config = TrainConfig.model_validate(
        {
            "dataset": {"name": "digits", "validation": {"per_class": 40}},
            "model": {"name": "preact_resnet10", "width": 16, "input_size": 8},
            "method": {"name": "cs_kd", "temperature": 4, "lambda_cls": 1, "lambda_e": 1},
            "training": {"epochs": epochs, "batch_size": 128, "lr": 0.01, "device": device, "precision": precision},
            "seed": 1,
        }
    )
    trainer = trainer_of(config)
    return [trainer.run_epoch()["train/loss"] for _ in range(epochs)]


def test_float32_on_the_gpu_equals_the_cpu() -> None:
    """Order, partners and augmentation do not depend on the device, so the losses agree to rounding."""
    assert losses("cuda", "float32") == pytest.approx(losses("cpu", "float32"), rel=1e-3)


def test_bfloat16_learns_as_float32_does() -> None:
    found, expected = losses("cuda", "auto", epochs=10), losses("cpu", "float32", epochs=10)
    assert found[-1] < 0.9 * found[0]
    assert found == pytest.approx(expected, rel=0.1)
