"""Folders that can hold studies, and those that cannot."""

import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from study.checks import machine

Usage = namedtuple("Usage", "total used free")


def levels(storage: Path) -> dict[str, str]:
    return {finding.subject: finding.level for finding in machine.check(storage)}


def test_this_machine_can_hold_studies_and_looking_makes_nothing(tmp_path: Path) -> None:
    found = levels(tmp_path / "not/yet")
    assert found["storage"] == found["locks"] == "ok"
    assert set(found) == {"cores", "memory", "shared memory", "storage", "locks", "disk", "data"}
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finding = next(iter(machine.folder(tmp_path / "file")))
    assert (finding.level, finding.subject) == ("problem", "storage")
    assert "Not a directory" in finding.found
    assert "--storage" in finding.cure


@pytest.mark.parametrize(("free", "level"), [(10**8, "problem"), (10**9, "warning"), (10**11, "ok")])
def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    assert levels(tmp_path)["disk"] == level


def test_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_free_memory", lambda: 10**9)
    assert machine.memory().level == "warning"
    assert machine.memory().found == "0.9 GiB free"
    monkeypatch.setattr(machine, "_free_memory", lambda: None)
    assert machine.memory().found == "unknown"


def test_locks_that_another_process_ignores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").write_text("")
    assert machine.locks(tmp_path / "lock").level == "ok"
    done = subprocess.CompletedProcess([], 0, stdout="lockf\n")
    monkeypatch.setattr(machine.subprocess, "run", lambda *_, **__: done)
    found = machine.locks(tmp_path / "lock")
    assert (found.level, found.found) == ("problem", f"lockf have no effect in {tmp_path}")


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").write_text("")

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(machine.fcntl, "flock", refuse)
    found = machine.locks(tmp_path / "lock")
    assert found.level == "problem"
    assert "No locks available" in found.found


def test_data_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSKD_DATA", str(tmp_path))
    assert machine.data().found.startswith(f"in {tmp_path}: nothing yet; fetched at first use: cifar100")
    (tmp_path / "cifar-100-python").mkdir()
    assert machine.data().found.startswith(f"in {tmp_path}: cifar100")
