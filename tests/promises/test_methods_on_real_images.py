"""Every method learns from real images: ten classes of CIFAR-100, and birds in crops of 64 pixels."""

import pytest

from tests.kit.inputs.training import small_config
from trainables.config import part_from
from trainables.interfaces import registry
from trainables.runs import checkpoint_names
from trainables.runs.run_directory import Outcome
from trainables.training.run import Run

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
METHODS = (*registry.available("methods"), "cs_kd_e")


@pytest.fixture(scope="module", params=["cifar100", "cub200"])
def task(request, tmp_path_factory):
    """Name of a data set and the configuration for it: data, model, epochs."""
    return request.param, request.getfixturevalue(f"{request.param}_task")


@pytest.fixture(scope="module")
def cifar100_task(cifar100_root):
    """Configuration with 100 training images of each of ten classes and a narrow network."""
    dataset = {"name": "cifar100", "root": str(cifar100_root), "subset": {"classes": 10, "train_per_class": 100}}
    model = {"name": "preact_resnet10", "width": 16}
    return {"dataset": dataset | {"validation": {"per_class": 20}}, "model": model, "epochs": 5}


@pytest.fixture(scope="module")
def cub200_task(cub50_archive, tmp_path_factory):
    """Configuration with the first 20 classes, about 27 training images each, at 64 pixels."""
    root = tmp_path_factory.mktemp("cub50")
    expect = {"classes": 50, "train": 1500, "test": 1389}
    dataset = {"name": "cub200", "root": str(root), "expect": expect, "stored_side": 80, "crop": 64}
    part_from("datasets", dataset).prepare([cub50_archive])
    return {"dataset": dataset | {"subset": {"classes": 20}}, "model": "resnet10", "epochs": 6}


@pytest.fixture(scope="module")
def train(task):
    """Function that trains a method to its last epoch and returns the metrics of each epoch."""

    def run_to_the_end(method, folder):
        config = small_config(method, batch_size=32, **task[1])
        run = Run(config, folder, keep_checkpoint=True)
        while not isinstance(run.advance(), Outcome):
            pass
        return [row.metrics for row in run._directory.epochs()]

    return run_to_the_end


@pytest.fixture(scope="module")
def teacher(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    train("cs_kd", folder)
    return {"checkpoint": str(checkpoint_names.generations(folder / "checkpoints")[0])}


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_falls_and_the_error_is_below_chance(task, train, teacher, tmp_path, method):
    options = {"name": "cs_kd", "lambda_e": 1.0} if method == "cs_kd_e" else {"name": method}
    if registry.load("methods", options["name"])().pretrained() is not None:
        options["teacher"] = teacher
    rows = train(options, tmp_path)
    first, last = rows[0]["train/loss"], rows[-1]["train/loss"]
    error = rows[-1]["validation/top1_error"]
    print(f"| {task[0]} | {method} | {first:.3f} | {last:.3f} | {100 * error:.1f} % |")
    assert last < first
    assert error < {"cifar100": 0.85, "cub200": 0.95}[task[0]]  # chance is 0.9 and 0.95
