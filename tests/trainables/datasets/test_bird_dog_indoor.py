import json

import numpy as np
import pytest

from tests.kit.inputs.archive_maker import birds, dogs, rooms, tar_of
from trainables.batches.splits import data_digest
from trainables.datasets.bird_dog_indoor import BirdDogIndoor
from trainables.errors import DataError

ROOMS = [f"{name}/{number}.jpg" for name in ("bar", "attic") for number in range(6)]
SMALL = {
    "cub200": {"classes": 2, "train": 6, "test": 4},
    "stanford_dogs": {"classes": 3, "train": 15, "test": 6},
    "mit67": {"classes": 2, "train": 10, "test": 2},
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    return [
        tar_of(folder / "CUB_200_2011.tgz", birds(), "w:gz"),
        *dogs(folder, breeds=3, train=5),
        *rooms(folder, [*ROOMS[1:6], *ROOMS[7:]], [ROOMS[0], ROOMS[6]]),
    ]


@pytest.fixture
def dataset(tmp_path, archives):
    made = BirdDogIndoor(root=tmp_path, expect=SMALL, per_class=4)
    made.prepare(archives)
    return made


def test_classes_labels_and_groups_are_joined_in_order(dataset):
    train, test = (dataset._read(part) for part in ("train", "test"))
    assert train.classes[:3] == ("001.Bird_0", "002.Bird_1", "n00-Breed_0")
    assert train.classes[5:] == ("attic", "bar")
    assert train.groups == test.groups == ("bird",) * 2 + ("dog",) * 3 + ("indoor",) * 2
    assert np.bincount(test.labels).tolist() == [2, 2, 2, 2, 2, 1, 1]
    assert len(test.images) == 12


def test_training_takes_per_class_images_or_all_of_a_smaller_class(dataset):
    assert np.bincount(dataset._read("train").labels).tolist() == [3, 3, 4, 4, 4, 4, 4]
    (found,) = dataset.stored()
    assert (found.state, found.part, found.counts.train) == ("ready", True, 26)
    assert found.note == "2 classes have fewer than 4 training images"


def test_the_list_is_stored_and_depends_on_its_seed(dataset, archives):
    content = json.loads(dataset.samples_path().read_text())
    assert content["names"]["bird"][0] == "CUB_200_2011/images/001.Bird_0/Bird_2.jpg"
    assert len(content["places"]["dog"]) == len(content["names"]["dog"]) == 12
    before = dataset.samples_path().stat().st_mtime_ns
    dataset.prepare(archives)
    assert dataset.samples_path().stat().st_mtime_ns == before
    other = dataset.model_copy(update={"sample_seed": 1})
    with pytest.raises(DataError, match=r"seed-1-part-\w+\.json is missing; run `cskd data prepare bird_dog_indoor"):
        other._read("train")
    other.prepare([])
    assert data_digest(other._read("train")) != data_digest(dataset._read("train"))


@pytest.mark.parametrize(
    "change", [lambda text: text[:50], lambda text: text.replace('"seed"', '"seeds"').replace("0,", "1,")]
)
def test_a_damaged_list_is_refused(dataset, change):
    path = dataset.samples_path()
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=r"\.json is damaged"):
        dataset._read("train")
    (found,) = dataset.stored()
    assert (found.state, found.part, found.nbytes) == ("damaged", True, path.stat().st_size)
    assert f"{path} is damaged" in found.note


def test_the_prepare_command_shows_options_that_differ_from_the_defaults(tmp_path):
    (found,) = BirdDogIndoor(root=tmp_path, stored_side=300, per_class=4, sample_seed=1, expect=SMALL).stored()
    assert found.note.startswith(
        f"run `cskd data prepare bird_dog_indoor --root {tmp_path} --set stored_side=300 --set per_class=4 "
        "--set sample_seed=1 --set expect.cub200.classes=2 --set expect.cub200.train=6 --set expect.cub200.test=4 --set"
    )
    assert BirdDogIndoor()._cure() == "run `cskd data prepare bird_dog_indoor`"


def test_an_unprepared_data_set_is_named(tmp_path, archives):
    made = BirdDogIndoor(root=tmp_path, expect=SMALL)
    with pytest.raises(DataError, match=r"cub200-256-part-2-6-4\.arrow is missing; run `cskd data prepare cub200"):
        made._read("test")
    assert made.stored()[0].state == "missing"
    with pytest.raises(DataError, match=r"other\.tar is not a file of cub200, stanford_dogs, mit67"):
        made.prepare([tmp_path / "other.tar"])


def test_options_are_passed_to_the_data_sets_and_the_set_is_hashable(dataset):
    small = BirdDogIndoor(crop=64, stored_side=80, memory_limit="1GiB")
    assert {(each.crop, each.stored_side, each.memory_limit) for each in small.sets().values()} == {(64, 80, 1 << 30)}
    assert len({small, BirdDogIndoor(), dataset}) == 3
