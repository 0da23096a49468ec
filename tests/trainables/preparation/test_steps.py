import errno
import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.kit.inputs.archive_maker import birds, picture, tar_of
from trainables.batches.splits import data_digest
from trainables.datasets.cub200 import Cub200
from trainables.errors import DataError
from trainables.preparation import arrow_file, steps
from trainables.preparation.arrow_file import PreparedFile, arrow_writer, batch_of

SMALL = {"classes": 2, "train": 6, "test": 4}


@pytest.fixture
def archive(tmp_path):
    return tar_of(tmp_path / "source" / "CUB_200_2011.tgz", birds(), "w:gz")


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "root").mkdir()
    return Cub200(root=tmp_path / "root", expect=SMALL)


def left_in(dataset):
    return {path.name for path in dataset.prepared_path().parent.iterdir()} - {".cskd.lock"}


def test_prepared_data_has_the_published_images_labels_and_order(dataset, archive):
    found = dataset.prepare([archive])
    assert found.state == "ready"
    assert found.part
    assert left_in(dataset) == {dataset.prepared_path().name}
    train, test = (dataset._read(part) for part in ("train", "test"))
    assert train.classes == test.classes == ("001.Bird_0", "002.Bird_1")
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert test.labels.tolist() == [0, 0, 1, 1]
    names = PreparedFile(dataset.prepared_path(), "").names("train")
    assert names[0] == "CUB_200_2011/images/001.Bird_0/Bird_2.jpg"
    for number, image in ((3, train.images[0]), (6, test.images[2])):
        content = birds()[f"CUB_200_2011/images/00{1 + number // 6}.Bird_{number // 6}/Bird_{(number - 1) % 5}.jpg"]
        assert content == picture(number, (30 + number, 40))
        assert np.array_equal(image, np.asarray(Image.open(io.BytesIO(content))))


def test_a_second_call_does_nothing(dataset, archive):
    dataset.prepare([archive])
    before = dataset.prepared_path().stat()
    archive.unlink()
    dataset.prepare([])
    assert dataset.prepared_path().stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.fault(19)
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_flipped_bit_is_detected_and_the_file_is_recreated(dataset, archive, share):
    dataset.prepare([archive])
    path = dataset.prepared_path()
    good = path.read_bytes()
    flip_bit(path, int(share * len(good)))
    assert dataset.stored()[0].state == "damaged"
    dataset.prepare([archive])
    assert path.read_bytes() == good
    assert dataset.stored()[0].state == "ready"


def flip_bit(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 4
    path.write_bytes(content)


def test_a_flipped_bit_never_changes_the_data_read(dataset, archive):
    dataset.prepare([archive])
    path = dataset.prepared_path()
    good, reference = path.read_bytes(), data_digest(dataset._read("train"))
    places = np.random.default_rng(0).integers(0, len(good), 40).tolist()
    found = 0
    for position in [*range(0, 2000, 97), *places, *range(len(good) - 2000, len(good), 97)]:
        path.write_bytes(good)
        flip_bit(path, position)
        try:
            read = PreparedFile(path, "").read("train")
        except DataError:
            found += 1
        else:  # Arrow stores its schema twice and pads buffers, so some bits are never read
            assert data_digest(read) == reference
            assert np.array_equal(read.images[5], Image.open(io.BytesIO(picture(10, (40, 40)))))
    assert found > 20


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_reported_with_the_command_to_prepare_it(dataset, archive, keep):
    dataset.prepare([archive])
    path = dataset.prepared_path()
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(DataError, match=r"is damaged .*; run `cskd data prepare cub200 --root .*`") as caught:
        dataset._read("train")
    assert "\n" not in str(caught.value)


@pytest.mark.fault(24)
def test_damaged_training_data_is_refused(dataset, archive):
    dataset.prepare([archive])
    path = dataset.prepared_path()
    content = bytearray(path.read_bytes())
    train = dataset._read("train").images
    content[train.start[2] + 100] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(2, 2))
    with pytest.raises(DataError, match="its checksum does not match"):
        dataset._read("train")


def test_the_error_for_a_missing_file_names_the_command(dataset):
    with pytest.raises(
        DataError,
        match=r"6-4\.arrow is missing; run `cskd data prepare cub200 --root \S+ --expect classes=2,train=6,test=4`",
    ):
        dataset._read("train")
    assert dataset.stored()[0].state == "missing"


def test_a_part_is_never_used_as_the_whole(dataset, archive):
    dataset.prepare([archive])
    with pytest.raises(DataError, match=r"cub200-256\.arrow is missing"):
        Cub200(root=dataset.root)._read("train")
    whole = Cub200(root=dataset.root)
    dataset.prepared_path().rename(whole.prepared_path())
    with pytest.raises(DataError, match="contains 2 classes, 6 training and 4 test images of cub200"):
        whole._read("train")


def test_an_archive_that_is_not_the_published_one_is_refused(dataset, archive):
    with pytest.raises(DataError, match=r"is not the published CUB_200_2011\.tgz: its MD5 is .*--expect"):
        Cub200(root=dataset.root).prepare([archive])


@pytest.mark.parametrize("key", SMALL)
def test_wrong_counts_are_refused(dataset, archive, key):
    wrong = Cub200(root=dataset.root, expect=SMALL | {key: SMALL[key] + 1})
    with pytest.raises(DataError, match=r"contain 2 classes, 6 training and 4 test images, not .*correct --expect"):
        wrong.prepare([archive])
    assert not wrong.prepared_path().exists()


@pytest.mark.fault(24)
def test_a_truncated_image_is_named_and_no_file_is_created(dataset, tmp_path):
    name = "CUB_200_2011/images/002.Bird_1/Bird_1.jpg"
    archive = tar_of(tmp_path / "x.tgz", birds(changes={name: picture(size=(90, 90))[:500]}), "w:gz")
    with pytest.raises(DataError, match=r"002\.Bird_1/Bird_1\.jpg cannot be read as an image"):
        dataset.prepare([archive])
    assert left_in(dataset) == set()


def test_a_missing_image_is_named(dataset, tmp_path):
    name = "CUB_200_2011/images/002.Bird_1/Bird_1.jpg"
    archive = tar_of(tmp_path / "x.tgz", birds(changes={name: None}), "w:gz")
    with pytest.raises(DataError, match=r"002\.Bird_1/Bird_1\.jpg cannot be read"):
        dataset.prepare([archive])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"CUB_200_2011/images.txt": b"1 ../../../etc/passwd\n"}, "is outside the data folder"),
        ({"CUB_200_2011/images.txt": b"one two\n"}, "'one two', which is not a number and a value"),
        ({"CUB_200_2011/classes.txt": None}, r"classes\.txt cannot be read"),
        ({"CUB_200_2011/train_test_split.txt": b"1 1\n"}, "name different images"),
        ({"CUB_200_2011/classes.txt": b"1 a\n3 b\n"}, "names an unknown class or part"),
    ],
)
def test_wrong_lists_are_refused(dataset, tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        dataset.prepare([tar_of(tmp_path / "x.tgz", birds(changes=changes), "w:gz")])


def test_lists_with_cr_lf_are_read(dataset, tmp_path):
    members = birds()
    crlf = {name: content.replace(b"\n", b"\r\n") for name, content in members.items() if name.endswith(".txt")}
    dataset.prepare([tar_of(tmp_path / "x.tgz", members | crlf, "w:gz")])
    assert dataset._read("train").classes == ("001.Bird_0", "002.Bird_1")


def test_a_missing_archive_is_refused(dataset, tmp_path):
    with pytest.raises(DataError, match="is not a file; correct --archive"):
        dataset.prepare([tmp_path / "absent.tgz"])


def test_a_killed_preparation_is_resumed(dataset, archive, monkeypatch):
    monkeypatch.setattr(steps, "CHUNK", 2)
    script = f"""
import os, signal
from pathlib import Path
from trainables.preparation import steps
from trainables.datasets.cub200 import Cub200
steps.CHUNK = 2
steps.cpu_count = lambda: 1
def progress(what, done, total):
    if what == "decode" and done >= 6:
        os.kill(os.getpid(), signal.SIGKILL)
Cub200(root=Path({str(dataset.root)!r}), expect={SMALL}).prepare([Path({str(archive)!r})], progress)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    decoded = []
    decode = steps.decode
    monkeypatch.setattr(steps, "decode", lambda path, side: decoded.append(path.name) or decode(path, side))
    monkeypatch.setattr(steps, "unpack", None)
    dataset.prepare([archive])
    assert 0 < len(decoded) <= 4
    assert dataset.stored()[0].counts.model_dump() == SMALL
    assert left_in(dataset) == {dataset.prepared_path().name}


def test_temporary_files_of_a_killed_process_are_removed(dataset, archive, monkeypatch):
    def killed_after(*arguments):
        make(*arguments)
        raise OSError("killed")

    make = steps._make
    monkeypatch.setattr(steps, "_make", killed_after)
    with pytest.raises(OSError, match="killed"):
        dataset.prepare([archive])
    path = dataset.prepared_path()
    (path.parent / f".{path.name}.4194305.tmp").write_bytes(b"much")
    assert len(left_in(dataset)) == 3
    dataset.prepare([])
    assert left_in(dataset) == {path.name}


@pytest.mark.fault(17)
@pytest.mark.parametrize(("owner", "step"), [(arrow_file.pa.ipc, "new_file"), (os, "fsync")])
def test_a_full_disk_leaves_no_partial_file(tmp_path, monkeypatch, owner, step):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(owner, step, full)
    with pytest.raises(OSError, match="No space left"), arrow_writer(tmp_path / "x.arrow", {}) as writer:
        writer.write(batch_of(["a"], [0], [np.zeros((2, 2, 3), np.uint8)]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(24)
def test_a_damaged_chunk_is_decoded_again(dataset, archive, monkeypatch):
    monkeypatch.setattr(steps, "_assemble", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        dataset.prepare([archive])
    monkeypatch.undo()
    (chunk,) = dataset.prepared_path().parent.glob(".preparing-*/chunks/train-00000.arrow")
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    dataset.prepare([archive])
    assert dataset.stored()[0].state == "ready"


def test_two_processes_prepare_once(dataset, archive):
    script = f"""
from pathlib import Path
from trainables.datasets.cub200 import Cub200
Cub200(root=Path({str(dataset.root)!r}), expect={SMALL}).prepare([Path({str(archive)!r})])
"""
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert dataset.stored()[0].state == "ready"


def test_writing_to_images_does_not_change_the_file(dataset, archive):
    dataset.prepare([archive])
    before = dataset.prepared_path().read_bytes()
    dataset._read("train").images[0][:] = 7
    assert dataset.prepared_path().read_bytes() == before


def test_the_data_digest_depends_on_the_pixels(dataset, archive, tmp_path):
    dataset.prepare([archive])
    first = data_digest(dataset._read("train"))
    assert first == data_digest(dataset._read("train"))
    other = Cub200(root=tmp_path / "source", expect=SMALL)
    other.prepare(
        [tar_of(tmp_path / "y.tgz", birds(changes={"CUB_200_2011/images/001.Bird_0/Bird_4.jpg": picture(99)}), "w:gz")]
    )
    assert first != data_digest(other._read("train"))


def test_a_file_above_the_memory_limit_is_verified_once(dataset, archive, monkeypatch):
    dataset.prepare([archive])
    path, hashed = dataset.prepared_path(), []
    digest = arrow_file.digest_of_batch
    monkeypatch.setattr(arrow_file, "digest_of_batch", lambda batch: hashed.append(batch) or digest(batch))
    for part in ("train", "train", "test", "test"):
        assert PreparedFile(path, "").read(part, memory_limit=0).images.memory_limit == 0
    assert len(hashed) == 2
    flip_bit(path, int(PreparedFile(path, "").read("train").images.start[2]) + 100)
    os.utime(path, ns=(3, 3))
    for _ in range(2):
        with pytest.raises(DataError, match="checksum"):
            PreparedFile(path, "").read("train", memory_limit=0)


def test_an_unusable_marker_only_costs_time(dataset, archive, monkeypatch):
    dataset.prepare([archive])
    path = dataset.prepared_path()
    path.with_name(f".{path.name}.train.verified").write_bytes(b"\xff")
    monkeypatch.setattr(arrow_file, "write_atomic", lambda *_: (_ for _ in ()).throw(PermissionError()))
    assert len(PreparedFile(path, "").read("train", memory_limit=0).images) == 6
