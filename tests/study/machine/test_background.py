"""Tests that background processes are recognised, and that other processes are not mistaken for them."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.machine import background
from tests.kit.patience import patience


@pytest.fixture
def process() -> Iterator[subprocess.Popen]:
    with subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True
    ) as made:
        yield made
        made.kill()


def test_a_process_is_recognised_and_ended_with_its_children(process: subprocess.Popen, tmp_path: Path) -> None:
    child, path = int(process.stdout.readline()), tmp_path / "process.json"
    background.record(path, process.pid)
    assert background.alive(path) == process.pid
    assert background.end(path)
    process.wait(patience(5))
    while background._started(child) is not None:  # the signal takes effect later; pytest's timeout limits the wait
        pass
    assert not path.exists()
    assert not background.end(path)


def test_children_that_outlive_the_process_are_ended(process: subprocess.Popen, tmp_path: Path) -> None:
    child, path = int(process.stdout.readline()), tmp_path / "process.json"
    background.record(path, process.pid)
    process.kill()
    process.wait()
    assert background.alive(path) is None
    assert background._started(child) is not None
    assert not background.end(path)
    while background._started(child) is not None:
        pass


@pytest.mark.parametrize("change", [{"started": "1"}, {"boot": "another"}, {"started": None}])
def test_another_process_with_the_same_id_is_not_ended(
    process: subprocess.Popen, tmp_path: Path, change: dict[str, str]
) -> None:
    path = tmp_path / "process.json"
    background.record(path, process.pid)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert background.alive(path) is None
    assert not background.end(path)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_a_missing_or_damaged_file_means_no_process(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "process.json"
    if content is not None:
        path.write_bytes(content)
    assert background.alive(path) is None
    assert not background.end(path)
