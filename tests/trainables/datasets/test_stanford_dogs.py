import numpy as np
import pytest

from tests.kit.inputs.archive_maker import dogs, mat_list
from trainables.datasets.stanford_dogs import StanfordDogs
from trainables.errors import DataError
from trainables.preparation.arrow_file import PreparedFile

SMALL = {"classes": 2, "train": 6, "test": 4}


@pytest.fixture
def dataset(tmp_path):
    return StanfordDogs(root=tmp_path, expect=SMALL)


def test_nested_lists_give_labels_from_zero_in_list_order(dataset, tmp_path):
    dataset.prepare(dogs(tmp_path / "source"))
    train, test = (dataset._read(part) for part in ("train", "test"))
    assert train.classes == ("n00-Breed_0", "n01-Breed_1")
    assert train.labels.tolist() == [1, 1, 1, 0, 0, 0]
    assert test.labels.tolist() == [1, 1, 0, 0]
    opened = PreparedFile(dataset.prepared_path(), "")
    assert opened.names("test")[0] == "Images/n01-Breed_1/4.jpg"
    assert opened.description.notes == {"name of another format": 1}
    assert not np.array_equal(train.images[0], train.images[5])


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (b"junk", r"train_list\.mat cannot be read"),
        (mat_list([("../evil.jpg", 0)]), "is outside the data folder"),
        (mat_list([("n00-Breed_0/0.jpg", 1)]), "label of another breed"),
    ],
)
def test_wrong_lists_are_refused(dataset, tmp_path, lists, message):
    with pytest.raises(DataError, match=message):
        dataset.prepare(dogs(tmp_path / "source", changes={"train_list.mat": lists}))


def test_published_checksums_are_required_without_expect(tmp_path):
    with pytest.raises(DataError, match=r"is not the published images\.tar: its size is"):
        StanfordDogs(root=tmp_path).prepare(dogs(tmp_path / "source"))


def test_an_archive_of_another_data_set_is_refused(dataset, tmp_path):
    archive = dogs(tmp_path)[0].rename(tmp_path / "other.tar")
    with pytest.raises(DataError, match=r"other\.tar is not a file of stanford_dogs; its files are images\.tar, lists"):
        dataset.prepare([archive])
