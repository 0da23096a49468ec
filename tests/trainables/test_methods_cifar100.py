"""Every method learns something real: ten classes of CIFAR-100, 100 training images each, a narrow network."""

import pytest
from training import small_config

from trainables import generations, registry
from trainables.run import Run
from trainables.run_directory import Outcome

MODEL = {"name": "preact_resnet10", "width": 16}
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def train(cifar100_root):
    """Trains a method for five epochs."""
    dataset = {
        "name": "cifar100",
        "root": str(cifar100_root),
        "subset": {"classes": 10, "train_per_class": 100},
        "validation": {"per_class": 20},
    }

    def run_to_the_end(method, folder):
        config = small_config(method, model=MODEL, dataset=dataset, epochs=5, batch_size=32)
        run = Run(config, folder, keep_checkpoint=True)
        while not isinstance(run.advance(), Outcome):
            pass
        return [row.metrics for row in run._directory.epochs()]

    return run_to_the_end


@pytest.fixture(scope="module")
def teacher(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    train("cs_kd", folder)
    return {"checkpoint": str(generations.generations(folder / "checkpoints")[0])}


@pytest.mark.parametrize("method", [*registry.available("methods"), "cs_kd_e"])
def test_the_loss_falls_and_classes_are_told_apart(train, teacher, tmp_path, method):
    options = {"name": "cs_kd", "lambda_e": 1.0} if method == "cs_kd_e" else {"name": method}
    if registry.load("methods", options["name"])().pretrained() is not None:
        options["teacher"] = teacher
    rows = train(options, tmp_path)
    first, last = rows[0]["train/loss"], rows[-1]["train/loss"]
    error = rows[-1]["validation/top1_error"]
    print(f"| {method} | {first:.3f} | {last:.3f} | {100 * error:.1f} % |")
    assert last < first
    assert error < 0.85  # chance is 0.9
