"""Data streamed from an object store (here a folder) gives the same images and batches as a file."""

import threading
from contextlib import closing

import numpy as np
import pytest
import torch

from tests.kit.inputs.archive_maker import birds, tar_of
from tests.kit.inputs.crops import VIEWS, assert_same_batches
from trainables.batches.input_pipeline import InputPipeline
from trainables.batches.splits import data_digest, split_training
from trainables.batches.streamed_crops import StreamedStore
from trainables.config import TrainConfig
from trainables.datasets.cub200 import Cub200
from trainables.errors import DataError
from trainables.files import inventory, local_copies
from trainables.files.prefetch import THREAD_NAME
from trainables.files.shared_data import DataStore
from trainables.preparation import streamed
from trainables.training.training_data import open_training_data, store_plain

OPTIONS = {"expect": {"classes": 3, "train": 12, "test": 6}, "crop": 24, "validation": {"per_class": 1}}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "root").mkdir()
    dataset = Cub200(root=folder / "root", **OPTIONS)
    dataset.prepare([tar_of(folder / "CUB_200_2011.tgz", birds(classes=3, train=4), "w:gz")])
    return dataset


@pytest.fixture
def bucket(tmp_path, prepared, monkeypatch):
    """Store whose objects are so small that an image spans several."""
    monkeypatch.setenv(local_copies.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(inventory, "OBJECT_BYTES", 5000)
    store = DataStore((tmp_path / "bucket").as_uri())
    store.put(prepared.root, prepared.kept()[0], lambda *_: None)
    (name,) = prepared.write_index(tmp_path / "made")
    store.put(tmp_path / "made", name, lambda *_: None)
    return tmp_path / "bucket"


@pytest.fixture
def remote(bucket):
    return Cub200(root=bucket.as_uri(), stream="always", **OPTIONS)


def arrows(tmp_path):
    return list((tmp_path / "cache").rglob("*.arrow"))


def test_streamed_images_labels_and_digests_equal_those_of_the_file(prepared, remote, tmp_path):
    found, expected = remote.training_images(), prepared.training_images()
    assert found.images.is_streamed
    assert data_digest(found) == data_digest(expected)
    assert split_training(found, remote.validation).digest == split_training(expected, remote.validation).digest
    for number in range(len(expected.labels)):
        assert np.array_equal(found.images[number], expected.images[number])
    assert len(remote._opened("test").labels) == 6
    assert arrows(tmp_path) == []
    assert len(list((tmp_path / "cache").rglob("*.index"))) == 1


@pytest.mark.parametrize("memory_limit", [0, 1 << 30])
def test_streamed_batches_equal_those_of_the_file(prepared, remote, memory_limit):
    def epochs(dataset):
        dataset = dataset.model_copy(update={"memory_limit": memory_limit})
        train = open_training_data(dataset, "train", CPU).train
        made = InputPipeline(train.images, train.store, dataset.augmentation, VIEWS, 4, 7, CPU)
        plain = store_plain(dataset, train.images, CPU).store.plain(torch.arange(len(train.images.labels)))
        return train.store, [*made.batches(0), *made.batches(1)], plain

    store, found, plain = epochs(remote)
    _, expected, expected_plain = epochs(prepared)
    assert isinstance(store, StreamedStore)
    assert store.ahead > 0
    assert_same_batches(found, expected)
    assert torch.equal(plain, expected_plain)


def test_all_pixels_are_copied_to_a_device_if_they_fit(prepared, remote):
    index, stores = torch.tensor([5, 0, 3]), []
    for dataset in (remote, prepared):
        store = open_training_data(dataset, "full", CPU).train.store
        store._may_reside = True  # as on a GPU
        draws = store.draw(np.random.default_rng(0), index.numpy(), dataset.augmentation)
        stores.append(store.augmented(index, draws))
    assert torch.equal(*stores)


def test_threads_end_with_the_batches(remote):
    train = open_training_data(remote, "full", CPU).train
    made = InputPipeline(train.images, train.store, remote.augmentation, VIEWS, 4, 7, CPU)
    with closing(made.batches(0)) as batches:
        next(batches)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(THREAD_NAME)]


def test_auto_streams_only_without_space_for_a_copy(remote, bucket, tmp_path, monkeypatch):
    auto = remote.model_copy(update={"stream": "auto"})
    usage = local_copies.shutil.disk_usage(tmp_path)
    size = sum(path.stat().st_size for path in bucket.rglob("*.arrow.0*"))
    monkeypatch.setattr(local_copies.shutil, "disk_usage", lambda _: usage._replace(free=size - 1))
    assert auto.training_images().images.is_streamed
    assert auto.has_room()
    assert not remote.model_copy(update={"stream": "never"}).has_room()
    with pytest.raises(OSError, match="no free space for"):
        remote.model_copy(update={"stream": "never"}).training_images()
    monkeypatch.setattr(local_copies.shutil, "disk_usage", lambda _: usage._replace(free=size))
    assert not auto.training_images().images.is_streamed
    monkeypatch.setattr(local_copies.shutil, "disk_usage", lambda _: usage._replace(free=0))
    assert not auto.training_images().images.is_streamed  # the copy exists already
    assert remote.model_copy(update={"stream": "never"}).has_room()


def test_streaming_does_not_change_the_run_digest(remote):
    runs = [
        TrainConfig(dataset=remote.model_copy(update={"stream": how}), model="resnet10", method="cs_kd")
        for how in ("auto", "never")
    ]
    assert runs[0].digest() == runs[1].digest()


def test_damaged_pixels_in_the_store_are_refused(remote, bucket):
    images = remote.training_images().images
    place = images.start[3] + 10
    path = bucket / f"{remote.kept()[0]}.{place // 5000:04d}"
    content = bytearray(path.read_bytes())
    content[place % 5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{path.name} is damaged; remove it"):
        images[3]
    assert images[0].any()


def test_a_damaged_index_is_fetched_again_and_a_missing_one_is_reported(remote, bucket, tmp_path):
    remote.training_images()
    (index,) = (tmp_path / "cache").rglob("*.index")
    index.write_bytes(index.read_bytes()[:-30])
    with pytest.raises(DataError, match="is missing or damaged"):
        streamed.Index(index)
    assert len(remote.training_images().labels) == 12
    for path in bucket.rglob("*.index.inventory.json"):
        path.unlink()
    other = remote.model_copy(update={"root": f"{bucket.as_uri()}/"})
    with pytest.raises(DataError, match=r"cub200-256-part-3-12-6\.index does not exist; `cskd data push`"):
        other.training_images()
