import pytest

from tests.kit.inputs.archive_maker import imagenet, tar_of
from trainables.datasets.imagenet import Imagenet
from trainables.errors import DataError
from trainables.preparation.arrow_file import PreparedFile

SMALL = {"classes": 2, "train": 6, "test": 3}


@pytest.fixture
def dataset(tmp_path):
    return Imagenet(root=tmp_path, expect=SMALL)


def test_nested_archives_are_unpacked_and_labels_follow_the_development_kit(dataset, tmp_path):
    dataset.prepare(imagenet(tmp_path / "source"))
    train, test = (dataset._read(part) for part in ("train", "test"))
    assert train.classes == ("n01", "n02")
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert test.labels.tolist() == [1, 0, 1]  # ILSVRC number 1 is n02
    opened = PreparedFile(dataset.prepared_path(), "")
    assert opened.names("train")[3] == "train/n02/n02_0.JPEG"
    assert opened.names("test")[0] == "val/ILSVRC2012_val_00000001.JPEG"
    assert opened.description.notes == {"not RGB": 3}


def test_labels_that_do_not_match_the_images_are_refused(dataset, tmp_path):
    archives = imagenet(tmp_path / "source")
    tar_of(archives[1], {})
    with pytest.raises(DataError, match="lists 3 labels that do not match 0 images"):
        dataset.prepare(archives)


def test_a_development_kit_without_its_files_is_refused(dataset, tmp_path):
    archives = imagenet(tmp_path / "source")
    tar_of(archives[2], {"other": b""}, "w:gz")
    with pytest.raises(DataError, match=r"meta\.mat cannot be read"):
        dataset.prepare(archives)
