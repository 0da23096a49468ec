import io
import stat
import tarfile
import zipfile

import pytest

from tests.kit.inputs.archive_maker import plain_member, tar_bytes, tar_of, zip_of
from trainables.errors import DataError
from trainables.preparation import extraction
from trainables.preparation.extraction import unpack

FILES = {"a/b.txt": b"one", "./c.txt": b"two"}


def files_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:xz", "zip"])
def test_the_archive_format_is_detected_by_content(tmp_path, kind):
    path = tmp_path / "any.name"
    zip_of(path, FILES) if kind == "zip" else tar_of(path, FILES, kind)
    unpack(path, tmp_path / "out")
    assert files_in(tmp_path / "out") == {"a/b.txt": b"one", "c.txt": b"two"}


def test_only_wanted_files_are_written(tmp_path):
    unpack(tar_of(tmp_path / "x.tar", FILES), tmp_path / "out", lambda name: name == "c.txt")
    assert files_in(tmp_path / "out") == {"c.txt": b"two"}


def test_nested_tar_archives_become_folders(tmp_path):
    inner = tar_bytes({"one.jpg": b"1"})
    unpack(tar_of(tmp_path / "x.tar", {"train/n01.tar": inner}), tmp_path / "out")
    assert files_in(tmp_path / "out") == {"train/n01/one.jpg": b"1"}


def member_of(kind, name="evil", target=""):
    member = plain_member(name, 0)
    member.type, member.linkname = kind, target
    return member


UNSAFE = {
    "symbolic link": member_of(tarfile.SYMTYPE, target="/etc/passwd"),
    "link inside": member_of(tarfile.SYMTYPE, target="a"),
    "hard link": member_of(tarfile.LNKTYPE, target="a"),
    "device": member_of(tarfile.CHRTYPE),
    "pipe": member_of(tarfile.FIFOTYPE),
    "parent": member_of(tarfile.REGTYPE, "../evil"),
    "parent inside": member_of(tarfile.REGTYPE, "a/../../evil"),
    "absolute": member_of(tarfile.REGTYPE, "/tmp/evil"),
    "backslash": member_of(tarfile.REGTYPE, "..\\evil"),
}


@pytest.mark.bad_input(38)
@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("nested", [False, True])
def test_an_unsafe_tar_is_refused_and_writes_nothing(tmp_path, name, nested):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(UNSAFE[name])
    if nested:
        tar_of(path, {"inner.tar": path.read_bytes()})
    with pytest.raises(DataError, match=r"x\.tar is refused: its member .* (link or a device|outside the target)"):
        unpack(path, tmp_path / "out")
    assert files_in(tmp_path) == {"x.tar": path.read_bytes()}


@pytest.mark.bad_input(38)
@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil"])
def test_an_unsafe_zip_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="outside the target"):
        unpack(zip_of(tmp_path / "x.zip", {name: b"x"}), tmp_path / "out")


@pytest.mark.bad_input(38)
def test_a_link_in_a_zip_is_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="link or a device"):
        unpack(tmp_path / "x.zip", tmp_path / "out")


@pytest.mark.bad_input(38)
def test_a_duplicate_name_is_refused(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for _ in range(2):
            tar.addfile(plain_member("same", 1), io.BytesIO(b"x"))
    with pytest.raises(DataError, match="contains 'same' twice"):
        unpack(tmp_path / "x.tar", tmp_path / "out")


def test_a_path_that_is_both_file_and_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tar_of(tmp_path / "x.tar", {"a": b"", "a/b": b""}), tmp_path / "out")


@pytest.mark.bad_input(38)
@pytest.mark.parametrize("kind", ["w:gz", "w:xz"])
def test_a_decompression_bomb_is_refused_before_it_is_written(tmp_path, kind):
    path = tar_of(tmp_path / "x", {"zeros": bytes(120 << 20)}, kind)
    with pytest.raises(DataError, match="larger than any published"):
        unpack(path, tmp_path / "out")
    assert not files_in(tmp_path / "out")


@pytest.mark.bad_input(38)
def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "MOST_MEMBERS", 3)
    with pytest.raises(DataError, match="larger than any published"):
        unpack(tar_of(tmp_path / "x.tar", {str(number): b"" for number in range(4)}), tmp_path / "out")


@pytest.mark.parametrize("kind", ["w", "w:gz", "zip"])
@pytest.mark.parametrize("keep", [0.0, 0.6])
def test_a_damaged_archive_is_named(tmp_path, kind, keep):
    path = tmp_path / "x"
    content = {"a": bytes(range(256)) * 4000, "b": b"x" * 100_000}
    zip_of(path, content) if kind == "zip" else tar_of(path, content, kind)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(DataError, match=r"x cannot be unpacked"):
        unpack(path, tmp_path / "out")
