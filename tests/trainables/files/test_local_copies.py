"""Local copies of data in an object store (here a folder): concurrent fetches, kills and damage on either side."""

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


def ignore(*_):
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
    DataStore((tmp_path / "bucket").as_uri()).put(tmp_path / "data", "set", ignore)
    return tmp_path / "bucket"


@pytest.fixture
def requests(tmp_path, monkeypatch):
    """Log file with a line for each request of any process."""
    read, log = DataStore.read, tmp_path / "requests"
    log.touch()

    def noted(self, piece, start, length):
        with log.open("a") as file:
            file.write(f"{piece.object}@{start}\n")
        return read(self, piece, start, length)

    monkeypatch.setattr(DataStore, "read", noted)
    return log


def fetch(bucket, kept="set", progress=ignore):
    return local_copies.fetch(bucket.as_uri(), kept, progress, patience_seconds=0)


def test_a_copy_holds_exactly_the_uploaded_files(bucket):
    reported = []
    folder = fetch(bucket, progress=lambda *arguments: reported.append(arguments))
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left == {*CONTENT, "set.inventory.json", ".cskd.lock"}
    assert reported[0] == ("fetch", 0, 3200)
    assert reported[-1] == ("fetch", 3200, 3200)
    assert local_copies.has_copy(bucket.as_uri(), "set")
    assert local_copies.is_whole(bucket.as_uri(), "set")


def test_concurrent_processes_fetch_once(bucket, requests):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=fetch, args=(bucket,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    lines = requests.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 4 + 4 + 2 + 1 + 3


@pytest.mark.parametrize("name", [name for name in POINTS if name.startswith("data")])
@pytest.mark.parametrize("hit", [1, 3])
def test_a_killed_fetch_is_resumed(bucket, requests, name, hit):
    child = os.fork()
    if child == 0:
        arm(f"{name}:{hit}:kill")
        fetch(bucket)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not local_copies.has_copy(bucket.as_uri(), "set")
    requests.write_text("")
    folder = fetch(bucket)
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT
    assert len(requests.read_text().splitlines()) <= 14 - 2 * hit


def test_a_copy_is_used_when_the_store_or_its_data_is_unavailable(bucket):
    fetch(bucket)
    (bucket / "set.inventory.json").unlink()
    assert (fetch(bucket) / "set" / "a").read_bytes() == CONTENT["set/a"]
    bucket.rename(bucket.with_name("away"))
    bucket.write_text("in the way")
    assert (fetch(bucket) / "set" / "a").read_bytes() == CONTENT["set/a"]
    with pytest.raises(ObjectStoreError, match=r"^data at file:.*bucket: cannot be read"):
        fetch(bucket, "other")


def test_a_copy_follows_changes_in_the_store(bucket, tmp_path):
    fetch(bucket)
    (bucket / "set.inventory.json").unlink()
    (tmp_path / "data" / "set" / "a").write_bytes(b"new")
    DataStore(bucket.as_uri()).put(tmp_path / "data", "set", ignore)
    assert (fetch(bucket) / "set" / "a").read_bytes() == b"new"


def flip(path, place=0):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [flip, lambda path: path.write_bytes(b"short"), lambda path: path.unlink()])
def test_a_damaged_object_is_read_twice_and_refused(bucket, requests, damage):
    damage(bucket / "set" / "a.0001")
    with pytest.raises(DataError, match=r"bucket/set/a\.0001 is damaged: .* `cskd data push`$") as caught:
        fetch(bucket)
    assert "\n" not in str(caught.value)
    assert requests.read_text().count("a.0001@0\n") == 2
    assert not local_copies.has_copy(bucket.as_uri(), "set")
    with pytest.raises(DataError, match="does not exist; `cskd data push`"):
        fetch(bucket, "other")


def test_a_damaged_response_is_requested_again(bucket, monkeypatch):
    read, spoilt = DataStore.read, []

    def spoils(self, piece, start, length):
        content = read(self, piece, start, length)
        if piece.object == "set/a.0001" and not spoilt:
            spoilt.append(piece)
            return content[:-1]
        return content

    monkeypatch.setattr(DataStore, "read", spoils)
    folder = fetch(bucket)
    assert spoilt
    assert (folder / "set" / "a").read_bytes() == CONTENT["set/a"]


def test_a_full_disk_is_reported_before_the_download(bucket, monkeypatch):
    monkeypatch.setattr(local_copies.shutil, "disk_usage", lambda _: SimpleNamespace(free=3199))
    with pytest.raises(OSError, match="no free space for 3,200 bytes of data; set CSKD_CACHE to a folder") as caught:
        fetch(bucket)
    assert caught.value.errno == errno.ENOSPC
    assert not list(local_copies.folder_of(bucket.as_uri()).rglob("*.partial"))


def test_a_read_only_folder_is_reported(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv(local_copies.VARIABLE, str(tmp_path / "data" / "set" / "a"))
    with pytest.raises(DataError, match=r"cannot be written: .*; set CSKD_CACHE to a writable folder"):
        fetch(bucket)


@pytest.fixture
def prepared(tmp_path):
    (tmp_path / "root").mkdir()
    dataset = Cub200(root=tmp_path / "root", expect=SMALL)
    dataset.prepare([tar_of(tmp_path / "source" / "CUB_200_2011.tgz", birds(), "w:gz")])
    return dataset


def test_prepared_data_from_the_store_equals_the_local_data(prepared, tmp_path):
    uri = (tmp_path / "shared").as_uri()
    DataStore(uri).put(tmp_path / "root", *prepared.kept(), ignore)
    remote = Cub200(root=uri, expect=SMALL)
    assert remote.model_dump(mode="json")["root"] == uri
    assert str(local_copies.folder_of(uri)) in remote.absent()
    assert data_digest(remote.training_images()) == data_digest(prepared.training_images())
    assert remote.absent() is None


def test_a_damaged_copy_is_fetched_again(prepared, tmp_path):
    uri = (tmp_path / "shared").as_uri()
    DataStore(uri).put(tmp_path / "root", *prepared.kept(), ignore)
    remote = Cub200(root=uri, expect=SMALL)
    images = remote.training_images()
    path = remote.here().prepared_path()
    flip(path, images.images.start[2] + 100)
    os.utime(path, ns=(2, 2))
    assert not local_copies.is_whole(uri, *remote.kept())
    assert data_digest(remote.training_images()) == data_digest(prepared.training_images())
    assert local_copies.is_whole(uri, *remote.kept())


def test_a_folder_of_images_can_be_shared(tmp_path):
    for number in range(8):
        path = tmp_path / "mine" / f"class {number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (number, 2, 3)).save(path)
    mine, uri = ImageFolder(root=tmp_path / "mine", size=8), (tmp_path / "shared").as_uri()
    DataStore(uri).put(tmp_path / "mine", *mine.kept(), ignore)
    assert data_digest(ImageFolder(root=uri, size=8).training_images()) == data_digest(mine.training_images())


def test_data_without_a_folder_never_contacts_the_store(monkeypatch):
    monkeypatch.setenv("CSKD_DATA", "s3://bucket/data")
    assert len(Digits().training_images().labels) == 899
    with pytest.raises(DataError, match=r"image_folder needs dataset\.root"):
        ImageFolder().training_images()
