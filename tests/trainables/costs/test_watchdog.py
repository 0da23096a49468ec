"""A process that hangs is always ended; one that does not hang leaves no report."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trainables.costs.watchdog import watched

HANGS = {
    "in Python": "time.sleep(60)",
    "in C, with the interpreter's lock": "ctypes.PyDLL(None).sleep(60)",
    "with signals ignored": "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
}


@pytest.mark.fault(25)
@pytest.mark.parametrize("what", HANGS)
def test_a_process_that_hangs_is_ended_and_reports_where(tmp_path: Path, what: str) -> None:
    code = f"""
import ctypes, signal, time
from pathlib import Path
from trainables.costs.watchdog import watched

def stuck():
    {HANGS[what]}

with watched(Path({str(tmp_path / "run" / "hang.txt")!r}), 0.3):
    stuck()
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=30, check=False)
    assert done.returncode == 1
    assert "in stuck" in (tmp_path / "run" / "hang.txt").read_text()


def test_a_block_that_ends_in_time_leaves_no_report(tmp_path: Path) -> None:
    for _ in range(3):
        with watched(tmp_path / "hang.txt", 60):
            pass
    with pytest.raises(KeyError), watched(tmp_path / "hang.txt", 60):
        raise KeyError
    assert not (tmp_path / "hang.txt").exists()


def test_a_block_whose_folder_is_gone_raises_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError), watched(tmp_path / "run" / "hang.txt", 60):
        _lose(tmp_path / "run")


def _lose(folder: Path) -> None:
    shutil.rmtree(folder)
    raise NotADirectoryError(folder)


def test_without_a_limit_nothing_is_watched(tmp_path: Path) -> None:
    with watched(tmp_path / "hang.txt", None):
        assert not (tmp_path / "hang.txt").exists()
