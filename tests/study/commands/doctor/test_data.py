"""Tests of the checks of data sets."""

from pathlib import Path

import pytest

from study.commands.doctor import data
from tests.kit.inputs.archive_maker import birds, tar_of


def test_data_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSKD_DATA", str(tmp_path))
    (found,) = data.check(verify=False)
    assert found.found.startswith(f"in {tmp_path}: none; missing: cifar100")
    (tmp_path / "cifar-100-python").mkdir()
    (found,) = data.check(verify=False)
    assert found.found.startswith(f"in {tmp_path}: cifar100")
    assert found.found.endswith("; `cskd doctor --data` verifies them")


def test_every_byte_is_verified_on_request(cskd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSKD_DATA", str(tmp_path))
    archive = tar_of(tmp_path / "birds.tgz", birds(), "w:gz")
    assert cskd("data", "prepare", "cub200", "--archive", archive, "--expect", "classes=2,train=6,test=4")[0] == 0
    found = {finding.subject: finding for finding in data.check(verify=True)}
    assert found["data cub200"].level == "ok"
    (prepared,) = tmp_path.glob("cub200/*.arrow")
    content = bytearray(prepared.read_bytes())
    content[len(content) // 2] ^= 1
    prepared.write_bytes(content)
    found = {finding.subject: finding for finding in data.check(verify=True)}
    assert (found["data cub200"].level, found["data cub200"].cure) == ("problem", "cskd data prepare cub200")
    assert "data mit67" not in found
