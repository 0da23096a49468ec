"""Tests of ``cskd data``."""

import json

import pytest

from tests.kit.inputs.archive_maker import birds, tar_of

EXPECT = "classes=2,train=6,test=4"


@pytest.fixture
def archive(tmp_path):
    return tar_of(tmp_path / "source" / "CUB_200_2011.tgz", birds(), "w:gz")


def entries(cskd, root):
    code, out, err = cskd("data", "list", "--root", str(root), "--json")
    assert (code, err) == (0, "")
    return {entry["name"]: entry for entry in json.loads(out)}


def test_from_missing_to_ready_to_damaged(cskd, tmp_path, archive) -> None:
    root = tmp_path / "root"
    words = ("data", "prepare", "cub200", "--root", str(root), "--archive", str(archive), "--expect", EXPECT)
    code, out, err = cskd(*words)
    assert code == 0
    assert out.startswith("cub200: ready, a subset of the published data, 2 classes, 6 training and 4 test images at")
    assert "cub200: decode 10 of 10" in err.splitlines()
    entry = entries(cskd, root)["cub200"]
    assert (entry["state"], entry["part"]) == ("ready", True)
    assert entry["counts"] == {"classes": 2, "train": 6, "test": 4}
    assert entries(cskd, root)["digits"]["state"] == "built in"
    path = root / "cub200" / "cub200-256-part-2-6-4.arrow"
    assert entry["path"] == str(path)
    path.write_bytes(path.read_bytes()[:-100])
    assert entries(cskd, root)["cub200"]["state"] == "damaged"
    assert cskd(*words)[0] == 0
    assert entries(cskd, root)["cub200"]["state"] == "ready"


@pytest.mark.parametrize("columns", [80, 60])
def test_the_list_fits_the_terminal(cskd, tmp_path, monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("CSKD_DATA", str(tmp_path))
    code, out, err = cskd("data", "list")
    assert (code, err) == (0, "")
    assert all(len(line) <= columns for line in out.splitlines() if str(tmp_path) not in line)
    assert "stanford_dogs: run `cskd data prepare stanford_dogs" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["cub2000"], 64, "did you mean 'cub200'"),
        (["cub200", "--expect", "classes=2"], 64, "expect.train"),
        (["cub200", "--expect", "many"], 64, "write it as"),
        (["cub200", "--set", "crop=500"], 64, "stored_side is 256, but crop 500 needs 571"),
        (["cub200", "--set", "name.x=1"], 64, "give the name of one of: bird_dog_indoor"),
        (["cub200", "--set", "crop.x=1"], 64, "crop"),
        (["cub200", "--archive", "absent.tgz"], 65, "absent.tgz is not a file"),
        (["digits", "--archive", "absent.tgz"], 65, "digits takes no archives"),
        (["image_folder"], 65, "name your folder of images"),
    ],
)
def test_a_mistake_prints_one_line(cskd, tmp_path, words, code, message) -> None:
    found = cskd("data", "prepare", *words, "--root", str(tmp_path / "root"))
    assert found[0] == code
    assert found[1] == ""
    assert message in found[2].splitlines()[-1]
    assert code != 64 or not (tmp_path / "root").exists()


def test_an_archive_of_a_subset_is_not_accepted_as_the_published_one(cskd, tmp_path, archive) -> None:
    code, _, err = cskd("data", "prepare", "cub200", "--root", str(tmp_path / "root"), "--archive", str(archive))
    assert code == 65
    assert "is not the published CUB_200_2011.tgz" in err.splitlines()[-1]


def test_built_in_data_need_no_preparation(cskd) -> None:
    assert cskd("data", "prepare", "digits")[:2] == (
        0,
        "digits: built in, 10 classes, 899 training and 898 test images\n",
    )


@pytest.mark.parametrize("words", [[], ["list"], ["prepare"]])
def test_help_ends_with_an_example(cskd, words) -> None:
    code, out, _ = cskd("data", *words, "--help")
    assert code == 0
    assert "Example: cskd data " in out
