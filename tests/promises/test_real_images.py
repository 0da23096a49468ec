"""Real photographs, from the archive to a network that learns."""

import json

import numpy as np
import pytest

from tests.kit.inputs.training import Ledger
from trainables.batches.splits import split_training
from trainables.config import TrainConfig, part_from
from trainables.preparation.arrow_file import PreparedFile
from trainables.runs.run_directory import RunDirectory
from trainables.training.run import Run

CUB50 = {"classes": 50, "train": 1500, "test": 1389}
TINY20 = {"classes": 20, "train": 10_000, "test": 1_000}


@pytest.fixture(scope="session")
def cub50(cub50_archive, tmp_path_factory):
    """Options of the first 50 classes of CUB-200-2011, stored at 80 pixels."""
    root = tmp_path_factory.mktemp("cub50")
    options = {"name": "cub200", "root": str(root), "expect": CUB50, "stored_side": 80, "crop": 64}
    part_from("datasets", options).prepare([cub50_archive])
    return options


@pytest.fixture(scope="session")
def tiny20(tiny20_archive, tmp_path_factory):
    """Options of the first 20 classes of Tiny ImageNet."""
    options = {"name": "tiny_imagenet", "root": str(tmp_path_factory.mktemp("tiny20")), "expect": TINY20}
    part_from("datasets", options).prepare([tiny20_archive])
    return options


@pytest.mark.slow
def test_cub50(cub50):
    dataset = part_from("datasets", cub50)
    images = dataset.training_images()
    assert set(np.bincount(images.labels).tolist()) <= {29, 30}
    assert images.classes[0] == "001.Black_footed_Albatross"
    assert (images.images.sizes.min(axis=1) <= 80).all()
    assert PreparedFile(dataset.prepared_path(), "").description.notes["not RGB"] == 2
    split = split_training(images, dataset.validation)
    assert np.bincount(images.labels[split.validation]).tolist() == [3] * 50


@pytest.mark.slow
def test_tiny20(tiny20):
    dataset = part_from("datasets", tiny20)
    images = dataset.training_images()
    assert np.bincount(images.labels).tolist() == [500] * 20
    assert (images.images.sizes == 64).all()
    opened = PreparedFile(dataset.prepared_path(), "")
    assert opened.names("train")[1] == f"tiny-imagenet-200/train/{images.classes[0]}/images/{images.classes[0]}_1.JPEG"
    assert opened.description.notes["not RGB"] == 153
    assert np.bincount(opened.read("test").labels).tolist() == [50] * 20


def trained(directory, dataset, model, **training):
    """Trains CS-KD and reads the test set at the end; returns the metrics of each epoch and the outcome."""
    config = TrainConfig.model_validate(
        {
            "dataset": dataset,
            "model": model,
            "method": {"name": "cs_kd", "temperature": 4, "lambda_cls": 1},
            "training": {"device": "cpu", "checkpoint_seconds": 1e6} | training,
        }
    )
    ledger = Ledger(directory)
    run = Run(config, directory, test_access=ledger)
    while run.epoch < config.training.epochs:
        run.advance()
    assert len(ledger.readings) == 1
    outcome = json.loads((directory / "outcome.json").read_text())
    return [row.metrics for row in RunDirectory(directory).epochs()], outcome


@pytest.mark.slow
def test_a_network_learns_tiny_imagenet_at_32_pixels(tiny20, tmp_path):
    dataset = tiny20 | {"subset": {"classes": 3, "train_per_class": 400}, "validation": {"per_class": 20}}
    model = {"name": "preact_resnet10", "width": 16}
    rows, _ = trained(tmp_path, dataset, model, epochs=8, batch_size=32, lr=0.05)
    assert rows[-1]["train/ce"] < 0.85 * rows[0]["train/ce"]
    assert rows[-1]["validation/top1_error"] < 0.5  # chance is 0.67
    assert rows[-1]["test/top1_error"] < 0.5


@pytest.mark.slow
def test_a_network_learns_birds_at_64_pixels(cub50, tmp_path):
    dataset = cub50 | {"subset": {"classes": 5}}
    rows, _ = trained(tmp_path, dataset, "resnet10", epochs=6, batch_size=16, lr=0.02)
    assert rows[-1]["train/ce"] < 0.9 * rows[0]["train/ce"]
    assert rows[-1]["test/top1_error"] < 0.75  # chance is 0.8
