"""Data sets shared through an object store (here a folder): upload, list, fetch and check."""

import json

import pytest

from study.commands.doctor import data
from tests.kit.inputs.archive_maker import birds, tar_of
from trainables.files import local_copies

EXPECT = ("--expect", "classes=2,train=6,test=4")
KEPT, INDEX = (f"cub200/cub200-256-part-2-6-4.{kind}" for kind in ("arrow", "index"))


@pytest.fixture
def shared(cskd, tmp_path, monkeypatch):
    """URI of a data location with a small part of CUB-200-2011, prepared in ``root``."""
    monkeypatch.setenv(local_copies.VARIABLE, str(tmp_path / "cache"))
    archive = tar_of(tmp_path / "source" / "CUB_200_2011.tgz", birds(), "w:gz")
    root, uri = tmp_path / "root", (tmp_path / "bucket").as_uri()
    assert cskd("data", "prepare", "cub200", "--root", root, "--archive", archive, *EXPECT)[0] == 0
    code, out, err = cskd("data", "push", "cub200", "--root", root, "--to", uri, *EXPECT)
    size = (root / KEPT).stat().st_size
    assert code == 0
    assert out == f"cub200: {size + (tmp_path / 'bucket' / INDEX).stat().st_size:,} bytes at {uri}\n"
    assert f"cub200: put {size:,} of {size:,}" in err.splitlines()
    return uri


def test_shared_data_is_listed_and_fetched(cskd, tmp_path, shared) -> None:
    code, out, _ = cskd("data", "list", "--root", shared, "--json")
    entry, _ = json.loads(out)
    assert (code, entry["name"], entry["state"], entry["note"]) == (0, KEPT, "ready", f"{shared}/{KEPT}")
    code, out, err = cskd("data", "fetch", "cub200", "--root", shared, *EXPECT)
    assert (code, out) == (0, f"cub200: ready in {local_copies.folder_of(shared)}\n")
    assert "cub200: fetch" in err
    copy = local_copies.folder_of(shared) / KEPT
    assert copy.read_bytes() == (tmp_path / "root" / KEPT).read_bytes()
    assert cskd("data", "fetch", "cub200", "--root", shared, *EXPECT)[2] == ""


def test_doctor_checks_the_store_and_the_copies(cskd, tmp_path, shared, monkeypatch) -> None:
    monkeypatch.setenv("CSKD_DATA", shared)
    (found,) = data.check(verify=True)
    assert found.found == f"in {shared}: {KEPT}, {INDEX}; copies in {local_copies.folder_of(shared)}: none"
    cskd("data", "fetch", "cub200", *EXPECT)
    assert [finding.level for finding in data.check(verify=True)] == ["ok", "ok"]
    copy = local_copies.folder_of(shared) / KEPT
    copy.write_bytes(b"damaged")
    assert [finding.level for finding in data.check(verify=True)] == ["ok", "problem"]
    (tmp_path / "bucket").rename(tmp_path / "away")
    (tmp_path / "bucket").write_text("in the way")
    (found,) = data.check(verify=False)
    assert (found.level, found.found.split(":")[0]) == ("problem", "data at file")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["push", "cub200", "--to", "bucket"], 64, "--to bucket: give a URI in an object store"),
        (["push", "cub200", "--to", "s3://a:canary@bucket"], 64, "--to holds a key"),
        (["push", "cub200", "--to", "ROOT"], 65, "`cskd data prepare cub200 --root"),
        (["push", "digits", "--to", "ROOT"], 65, "digits is built in and needs no upload"),
        (["fetch", "cub200", "--root", "ROOT"], 65, "cub200/cub200-256.arrow does not exist; `cskd data push`"),
        (["fetch", "cub200", "--root", "s3://bucket?key=canary"], 64, "root: has an option other than"),
        (["prepare", "cub200", "--root", "ROOT"], 65, "is not a folder; prepare the data in a folder"),
    ],
)
def test_each_error_is_one_line(cskd, tmp_path, monkeypatch, arguments, code, message) -> None:
    monkeypatch.setenv("CSKD_DATA", str(tmp_path))
    monkeypatch.setenv(local_copies.VARIABLE, str(tmp_path / "cache"))
    found = cskd("data", *(tmp_path.as_uri() if word == "ROOT" else word for word in arguments))
    assert found[0] == code
    assert message in found[2].splitlines()[-1]
    assert "canary" not in found[2]
    assert not (tmp_path / "cache").exists()
