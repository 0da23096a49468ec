"""Tests of the checks of the storage folder."""

import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from study.commands.doctor import storage

Usage = namedtuple("Usage", "total used free")


def levels(folder: Path) -> dict[str, str]:
    return {finding.subject: finding.level for finding in storage.check(folder)}


def test_a_usable_folder_is_ok_and_is_not_created(tmp_path: Path) -> None:
    found = levels(tmp_path / "not/yet")
    assert found["storage"] == found["locks"] == found["clock"] == "ok"
    assert set(found) == {"storage", "clock", "locks", "permissions", "disk"}
    assert list(tmp_path.iterdir()) == []


def test_a_file_instead_of_a_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finding = next(iter(storage.check(tmp_path / "file")))
    assert (finding.level, finding.subject) == ("problem", "storage")
    assert "Not a directory" in finding.found
    assert "--storage" in finding.cure


@pytest.mark.parametrize(("free", "level"), [(10**8, "problem"), (10**9, "warning"), (10**11, "ok")])
def test_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    assert levels(tmp_path)["disk"] == level


def test_locks_that_another_process_ignores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").write_text("")
    assert storage.locks(tmp_path / "lock").level == "ok"
    done = subprocess.CompletedProcess([], 0, stdout="lockf\n")
    monkeypatch.setattr(storage.subprocess, "run", lambda *_, **__: done)
    found = storage.locks(tmp_path / "lock")
    assert (found.level, found.found) == ("problem", f"lockf locks have no effect in {tmp_path}")


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").write_text("")

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(storage.fcntl, "flock", refuse)
    found = storage.locks(tmp_path / "lock")
    assert found.level == "problem"
    assert "No locks available" in found.found


@pytest.mark.parametrize(
    ("mode", "level"), [(0o755, "ok"), (0o700, "ok"), (0o775, "ok"), (0o777, "warning"), (0o1777, "ok")]
)
def test_a_world_writable_folder_is_a_warning(tmp_path: Path, mode: int, level: str) -> None:
    tmp_path.chmod(mode)
    found = storage.permissions(tmp_path)
    assert found.level == level
    assert found.cure == ("" if level == "ok" else f"chmod o-w {tmp_path}")


@pytest.mark.parametrize(
    ("skew", "text"), [(0.01, "matches"), (-0.5, "matches"), (90, "90 s ahead"), (-3600, "3600 s behind")]
)
def test_the_clock_of_a_file_server(skew: float, text: str) -> None:
    found = storage.clock(1.7e9, 1.7e9 + skew)
    assert text in found.found
    assert found.level == ("ok" if text == "matches" else "warning")
