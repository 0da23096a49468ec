"""Copies of data in an object store, here a folder: fetched once by many, killed, damaged there or here."""

import errno
import multiprocessing
import os
import signal
from types import SimpleNamespace

import pytest
from PIL import Image

from tests.kit.inputs.archive_maker import birds, tar_of
from trainables.batches.splits import data_digest
from trainables.datasets.cub200 import Cub200
from trainables.datasets.digits import Digits
from trainables.datasets.image_folder import ImageFolder
from trainables.errors import DataError, ObjectStoreError
from trainables.files import inventory, local_copies
from trainables.files.faultpoints import POINTS, arm
from trainables.files.shared_data import DataStore

CONTENT = {"set/a": os.urandom(2500), "set/b": b"", "set/c/d": os.urandom(700)}
SMALL = {"classes": 2, "train": 6, "test": 4}


def nobody(*_):
    pass


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(inventory, "OBJECT_BYTES", 1000)
    monkeypatch.setattr(local_copies, "RANGE_BYTES", 300)
    monkeypatch.setenv(local_copies.VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def bucket(tmp_path):
    for name, content in CONTENT.items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(content)
    DataStore((tmp_path / "bucket").as_uri()).put(tmp_path / "data", "set", nobody)
    return tmp_path / "bucket"


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A file with a line for each request, of whatever process."""
    read, log = DataStore.read, tmp_path / "requests"
    log.touch()

    def noted(self, piece, start, length):
        with log.open("a") as file:
            file.write(f"{piece.object}@{start}\n")
        return read(self, piece, start, length)

    monkeypatch.setattr(DataStore, "read", noted)
    return log


def bring(bucket, kept="set", progress=nobody):
    return local_copies.bring(bucket.as_uri(), kept, progress, patience_seconds=0)


def test_a_copy_is_what_was_put_there_and_nothing_else(bucket):
    told = []
    folder = bring(bucket, progress=lambda *words: told.append(words))
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left == {*CONTENT, "set.inventory.json", ".cskd.lock"}
    assert told[0] == ("fetch", 0, 3200)
    assert told[-1] == ("fetch", 3200, 3200)
    assert local_copies.is_here(bucket.as_uri(), "set")
    assert local_copies.is_whole(bucket.as_uri(), "set")


def test_many_processes_fetch_once(bucket, asked):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=bring, args=(bucket,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    requests = asked.read_text().splitlines()
    assert len(requests) == len(set(requests)) == 4 + 4 + 2 + 1 + 3


@pytest.mark.parametrize("name", [name for name in POINTS if name.startswith("data")])
@pytest.mark.parametrize("hit", [1, 3])
def test_a_killed_one_leaves_what_it_fetched(bucket, asked, name, hit):
    child = os.fork()
    if child == 0:
        arm(f"{name}:{hit}:kill")
        bring(bucket)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not local_copies.is_here(bucket.as_uri(), "set")
    asked.write_text("")
    folder = bring(bucket)
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT
    assert len(asked.read_text().splitlines()) <= 14 - 2 * hit


def test_a_copy_serves_while_the_store_or_its_data_is_away(bucket):
    bring(bucket)
    (bucket / "set.inventory.json").unlink()
    assert (bring(bucket) / "set" / "a").read_bytes() == CONTENT["set/a"]
    bucket.rename(bucket.with_name("away"))
    bucket.write_text("in the way")
    assert (bring(bucket) / "set" / "a").read_bytes() == CONTENT["set/a"]
    with pytest.raises(ObjectStoreError, match=r"^data at file:.*bucket: cannot be read"):
        bring(bucket, "other")


def test_what_was_replaced_there_is_replaced_here(bucket, tmp_path):
    bring(bucket)
    (bucket / "set.inventory.json").unlink()
    (tmp_path / "data" / "set" / "a").write_bytes(b"new")
    DataStore(bucket.as_uri()).put(tmp_path / "data", "set", nobody)
    assert (bring(bucket) / "set" / "a").read_bytes() == b"new"


def flip(path, place=0):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [flip, lambda path: path.write_bytes(b"short"), lambda path: path.unlink()])
def test_what_is_damaged_there_is_asked_for_twice_and_never_taken(bucket, asked, damage):
    damage(bucket / "set" / "a.0001")
    with pytest.raises(DataError, match=r"bucket/set/a\.0001 is damaged: .* `cskd data push`$") as caught:
        bring(bucket)
    assert "\n" not in str(caught.value)
    assert asked.read_text().count("a.0001@0\n") == 2
    assert not local_copies.is_here(bucket.as_uri(), "set")
    with pytest.raises(DataError, match="is not there; `cskd data push`"):
        bring(bucket, "other")


def test_what_came_damaged_once_is_asked_for_again(bucket, monkeypatch):
    read, spoilt = DataStore.read, []

    def spoils(self, piece, start, length):
        content = read(self, piece, start, length)
        if piece.object == "set/a.0001" and not spoilt:
            spoilt.append(piece)
            return content[:-1]
        return content

    monkeypatch.setattr(DataStore, "read", spoils)
    folder = bring(bucket)
    assert spoilt
    assert (folder / "set" / "a").read_bytes() == CONTENT["set/a"]


def test_a_full_disk_is_told_before(bucket, monkeypatch):
    monkeypatch.setattr(local_copies.shutil, "disk_usage", lambda _: SimpleNamespace(free=3199))
    with pytest.raises(OSError, match="no room for 3,200 bytes of data, unless CSKD_CACHE names") as caught:
        bring(bucket)
    assert caught.value.errno == errno.ENOSPC
    assert not list(local_copies.folder_of(bucket.as_uri()).rglob("*.partial"))


def test_a_folder_that_cannot_be_written_is_told(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv(local_copies.VARIABLE, str(tmp_path / "data" / "set" / "a"))
    with pytest.raises(DataError, match=r"cannot be written: .*; set CSKD_CACHE to a folder"):
        bring(bucket)


@pytest.fixture
def prepared(tmp_path):
    (tmp_path / "root").mkdir()
    dataset = Cub200(root=tmp_path / "root", expect=SMALL)
    dataset.prepare([tar_of(tmp_path / "source" / "CUB_200_2011.tgz", birds(), "w:gz")])
    return dataset


def test_prepared_data_is_read_from_the_store_as_from_its_folder(prepared, tmp_path):
    uri = (tmp_path / "shared").as_uri()
    DataStore(uri).put(tmp_path / "root", *prepared.kept(), nobody)
    there = Cub200(root=uri, expect=SMALL)
    assert there.model_dump(mode="json")["root"] == uri
    assert str(local_copies.folder_of(uri)) in there.absent()
    assert data_digest(there.training_images()) == data_digest(prepared.training_images())
    assert there.absent() is None


def test_a_copy_that_is_damaged_here_is_fetched_again(prepared, tmp_path):
    uri = (tmp_path / "shared").as_uri()
    DataStore(uri).put(tmp_path / "root", *prepared.kept(), nobody)
    there = Cub200(root=uri, expect=SMALL)
    images = there.training_images()
    path = there.here().prepared_path()
    flip(path, images.images.start[2] + 100)
    os.utime(path, ns=(2, 2))
    assert not local_copies.is_whole(uri, *there.kept())
    assert data_digest(there.training_images()) == data_digest(prepared.training_images())
    assert local_copies.is_whole(uri, *there.kept())


def test_a_folder_of_images_lies_in_the_store_as_it_is(tmp_path):
    for number in range(8):
        path = tmp_path / "mine" / f"class {number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (number, 2, 3)).save(path)
    mine, uri = ImageFolder(root=tmp_path / "mine", size=8), (tmp_path / "shared").as_uri()
    DataStore(uri).put(tmp_path / "mine", *mine.kept(), nobody)
    assert data_digest(ImageFolder(root=uri, size=8).training_images()) == data_digest(mine.training_images())


def test_data_that_lies_nowhere_asks_no_store(monkeypatch):
    monkeypatch.setenv("CSKD_DATA", "s3://bucket/data")
    assert len(Digits().training_images().labels) == 899
    with pytest.raises(DataError, match=r"image_folder needs dataset\.root"):
        ImageFolder().training_images()
