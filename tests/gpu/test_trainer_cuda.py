"""The trainer on a GPU; runs from the bare source tree: ``python3 -m pytest tests/gpu``."""

import pytest
import torch

from trainables.config import TrainConfig
from trainables.device import choose_device
from trainables.trainer import Trainer
from trainables.training_data import open_training_data

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
    where = choose_device(device)
    trainer = Trainer(config, open_training_data(config.dataset, "train", where), where)
    return [trainer.run_epoch()["train/loss"] for _ in range(epochs)]


def test_float32_on_the_gpu_equals_the_cpu() -> None:
    """Order, partners and augmentation are the device's business nowhere, so the losses agree to rounding."""
    torch.backends.cudnn.allow_tf32 = False
    assert losses("cuda", "float32") == pytest.approx(losses("cpu", "float32"), rel=1e-3)


def test_bfloat16_learns() -> None:
    found = losses("cuda", "auto", epochs=10)
    assert found[-1] < 0.7 * found[0]
