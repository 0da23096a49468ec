import numpy as np
import pytest
import torch

from tests.kit.inputs.training import DIGITS
from trainables.batches.splits import split_training
from trainables.config import part_from
from trainables.training.training_data import open_training_data, store_plain

CPU = torch.device("cpu")


@pytest.fixture
def dataset():
    return part_from("datasets", DIGITS)


def test_training_and_validation_are_the_two_parts_of_the_split(dataset):
    data = open_training_data(dataset, "train", CPU)
    images = dataset.training_images()
    split = split_training(images, dataset.validation)
    assert data.split_digest == split.digest
    assert data.classes == images.classes == tuple("0123")
    for part, indices in ((data.train, split.train), (data.validation, split.validation)):
        assert np.array_equal(part.images.labels, images.labels[indices])
        assert np.array_equal(part.images.images, images.images[indices])
        assert part.store.padding == (dataset.augmentation.padding if part is data.train else 0)
        shown = part.store.plain(torch.arange(len(indices)))
        expected = (images.images[indices] / 255 - dataset.mean) / dataset.std
        torch.testing.assert_close(shown.double().permute(0, 2, 3, 1), torch.from_numpy(expected), rtol=0, atol=2e-6)
    assert not set(split.train) & set(split.validation)


def test_full_trains_on_everything_and_keeps_the_digest_of_the_split(dataset):
    full = open_training_data(dataset, "full", CPU)
    assert full.validation is None
    assert len(full.train.images.labels) == len(dataset.training_images().labels)
    assert full.split_digest == open_training_data(dataset, "train", CPU).split_digest


def test_consecutive_runs_share_the_data(dataset):
    same = part_from("datasets", DIGITS)
    assert open_training_data(dataset, "train", CPU) is open_training_data(same, "train", CPU)
    other = part_from("datasets", DIGITS | {"validation": {"per_class": 8, "seed": 1}})
    assert (
        open_training_data(other, "train", CPU).split_digest != open_training_data(dataset, "train", CPU).split_digest
    )


def test_plain_storage_has_no_padding(dataset):
    stored = store_plain(dataset, dataset.training_images(), CPU)
    assert stored.store.padding == 0
    assert stored.store.plain(torch.tensor([0])).shape == (1, 3, 8, 8)
