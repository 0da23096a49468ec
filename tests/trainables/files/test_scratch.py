"""Scratch folders: created per process, and removed after a kill."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainables.files import scratch

MAKE = "from trainables.files import scratch; print(scratch.folder(), flush=True); import time; time.sleep(60)"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(scratch.VARIABLE, str(tmp_path / "scratch"))
    scratch._process_folder.cache_clear()
    return tmp_path / "scratch"


def test_folders_are_unique_and_lie_in_the_configured_directory(place: Path) -> None:
    one, two = scratch.folder(), scratch.folder()
    assert one != two
    assert one.is_relative_to(place)
    scratch.sweep()
    assert one.is_dir()


def test_folders_of_killed_processes_are_removed(place: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen([sys.executable, "-c", MAKE], env=environment, stdout=subprocess.PIPE, text=True) as process:
        theirs = Path(process.stdout.readline().strip())
        assert theirs.is_dir()
        scratch.sweep()
        assert theirs.is_dir()  # the process is running
        process.kill()
    scratch.folder()
    assert not theirs.parent.exists()
