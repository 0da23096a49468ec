import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.kit.inputs.archive_maker import rooms
from trainables.datasets.mit67 import Mit67
from trainables.errors import DataError
from trainables.preparation import sources
from trainables.preparation.arrow_file import PreparedFile

TRAIN = ["bar/one.jpg", "attic/two three.jpg", "bar/four.jpg", "attic/five.jpg"]
TEST = ["bar/six.jpg", "attic/seven.jpg"]
SMALL = {"classes": 2, "train": 4, "test": 2}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_listed_images_are_used_with_any_line_ending(tmp_path, end):
    dataset = Mit67(root=tmp_path, expect=SMALL)
    dataset.prepare(rooms(tmp_path / "source", TRAIN, TEST, end))
    train, test = (dataset._read(part) for part in ("train", "test"))
    assert train.classes == ("attic", "bar")
    assert train.labels.tolist() == [1, 0, 1, 0]
    assert test.labels.tolist() == [1, 0]
    opened = PreparedFile(dataset.prepared_path(), "")
    assert opened.names("train") == [f"Images/{name}" for name in TRAIN]
    assert opened.description.notes == {"not RGB": 2}
    grey = test.images[0]
    assert np.array_equal(grey[..., 0], grey[..., 2])


def test_the_published_lists_are_read(mit67_lists, tmp_path):
    for path in mit67_lists:
        (tmp_path / path.name).symlink_to(path)
    listing = Mit67.listing(tmp_path)
    assert listing.counts == Mit67.published
    assert listing.classes[0] == "airport_inside"
    labels = [label for _, label in listing.train]
    assert set(np.bincount(labels).tolist()) <= set(range(77, 84))
    assert not {name for name, _ in listing.train} & {name for name, _ in listing.test}


def test_a_line_that_is_not_class_and_file_is_refused(tmp_path):
    dataset = Mit67(root=tmp_path, expect=SMALL)
    for names, message in (([*TRAIN, "loose.jpg"], "'loose.jpg', which is not class/file"), (["/etc/x"], "outside")):
        archives = rooms(tmp_path / message[:4], TRAIN, TEST)
        archives[1].write_text("\n".join(names))
        with pytest.raises(DataError, match=message):
            dataset.prepare(archives)


def test_without_published_checksums_those_of_the_first_files_are_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(Mit67, "published", Mit67(expect=SMALL).expect)
    dataset = Mit67(root=tmp_path)
    dataset.prepare(rooms(tmp_path / "source", TRAIN, TEST))
    known = json.loads((dataset.prepared_path().parent / "sources.json").read_text())
    assert known.keys() == {"indoorCVPR_09.tar", "TrainImages.txt", "TestImages.txt"}
    assert PreparedFile(dataset.prepared_path(), "").description.sources == known
    dataset.prepared_path().unlink()
    other = rooms(tmp_path / "other", TRAIN[::-1], TEST)
    with pytest.raises(DataError, match=r"is not the indoorCVPR_09\.tar that was used before"):
        dataset.prepare(other)


def test_a_wrong_download_without_a_checksum_is_fetched_again(tmp_path, monkeypatch):
    monkeypatch.setattr(Mit67, "published", Mit67(expect=SMALL).expect)
    offered = {path.name: path for path in rooms(tmp_path / "server", TRAIN, TEST)}
    monkeypatch.setattr(sources, "download", lambda _, path, *__: shutil.copyfile(offered[path.name], path))
    right = offered["TrainImages.txt"].read_bytes()
    offered["TrainImages.txt"].write_text("log in first")
    dataset = Mit67(root=tmp_path)
    with pytest.raises(DataError, match="'log in first', which is not class/file"):
        dataset.prepare([offered["indoorCVPR_09.tar"]])
    assert [path.name for path in dataset.prepared_path().parent.iterdir()] == [".cskd.lock"]
    assert offered["indoorCVPR_09.tar"].exists()
    offered["TrainImages.txt"].write_bytes(right)
    assert dataset.prepare([]).state == "ready"


def test_a_wrong_count_is_refused(tmp_path):
    with pytest.raises(DataError, match="contain 2 classes, 4 training and 2 test images, not 67 classes, 5,360"):
        Mit67(root=tmp_path).prepare(rooms(tmp_path / "source", TRAIN, TEST))
    assert not list(Path(tmp_path).rglob("*.arrow"))
