"""Tests the lock of a study, which ends with the driver's process."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from study.errors import HeldError, UsageError
from study.state.lease import Holder, holder, is_held, lease, stop_holder
from tests.kit.patience import patience

HOLD = """
import sys, time
from pathlib import Path
from study.state.lease import lease
with lease(Path(sys.argv[1])):
    try:
        print("held", flush=True)
        while True:  # a signal just before one long sleep would not end it
            time.sleep(0.05)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.fixture
def other_driver(tmp_path: Path):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_lock_is_held_and_released(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []  # the check leaves no file
    with lease(tmp_path):
        assert is_held(tmp_path)
        found = holder(tmp_path)
        assert (found.pid, found.host) == (os.getpid(), socket.gethostname())
    assert not is_held(tmp_path)
    assert holder(tmp_path) is None
    with pytest.raises(RuntimeError, match="inside"), lease(tmp_path):
        raise RuntimeError("inside")
    assert not is_held(tmp_path)


@pytest.mark.fault(26)
def test_the_error_of_a_second_driver_names_the_holder(tmp_path: Path, other_driver) -> None:
    with pytest.raises(HeldError) as caught, lease(tmp_path):
        pass
    assert f"held by {other_driver.pid}@{socket.gethostname()} since 20" in str(caught.value)
    assert f"cskd stop {tmp_path}" in str(caught.value)
    assert caught.value.exit_code == 75
    assert holder(tmp_path).pid == other_driver.pid  # the refusal changed nothing
    assert is_held(tmp_path)


@pytest.mark.fault(26)
def test_the_lock_of_a_killed_driver_is_free(tmp_path: Path, other_driver) -> None:
    other_driver.send_signal(signal.SIGKILL)
    other_driver.wait(patience(10))
    assert holder(tmp_path).pid == other_driver.pid  # its file is stale
    assert not is_held(tmp_path)
    with lease(tmp_path):
        assert holder(tmp_path).pid == os.getpid()


def test_a_damaged_holder_file_is_ignored(tmp_path: Path) -> None:
    with lease(tmp_path):
        for content in ("", "{", "[]", '{"pid": 1}'):
            (tmp_path / ".driver.json").write_text(content)
            assert holder(tmp_path) is None
        with pytest.raises(HeldError, match="held by another driver"), lease(tmp_path):
            pass


def test_stop_ends_the_driver(tmp_path: Path, other_driver) -> None:
    assert stop_holder(tmp_path).pid == other_driver.pid
    assert other_driver.wait(patience(10)) == 0
    assert other_driver.stdout.read() == "interrupted\n"
    with pytest.raises(UsageError, match="no driver is running, so there is nothing to stop; see `cskd status"):
        stop_holder(tmp_path)


def test_a_driver_on_another_host_gets_no_signal(tmp_path: Path) -> None:
    with lease(tmp_path):
        elsewhere = Holder(os.getpid(), "elsewhere", "2026-01-01 00:00:00")
        (tmp_path / ".driver.json").write_text(json.dumps(vars(elsewhere)))
        with pytest.raises(UsageError, match="its driver runs on elsewhere; stop it there"):
            stop_holder(tmp_path)


def test_a_stale_holder_file_never_causes_a_signal(tmp_path: Path) -> None:
    stale = Holder(os.getpid(), socket.gethostname(), "2026-01-01 00:00:00")  # another process has this pid
    (tmp_path / ".driver.json").write_text(json.dumps(vars(stale)))
    (tmp_path / ".driver.lock").touch()
    with pytest.raises(UsageError, match="no driver is running"):
        stop_holder(tmp_path)
