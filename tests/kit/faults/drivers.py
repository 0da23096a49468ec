"""Starts real drivers in separate sessions, which a test may kill; training is simulated by the toy, or real."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.kit.fakes.toy import write_study
from tests.kit.faults.oracle import finished_runs, verify_study, verify_tracking
from tests.kit.paths import PYTHON_PATH
from tests.kit.patience import patience

TOY = ("-m", "tests.kit.fakes.toy")
REAL = ("-m", "study.cli")
TRACKED = ("--set", "tracking.enabled=true")


def start(
    folder: Path,
    *words: str,
    program: tuple[str, ...] = TOY,
    faults: dict | None = None,
    seconds: float = 0.0,
    uri: str = "",
) -> subprocess.Popen:
    """Starts a driver in a new session; with an empty ``uri`` tracking, if enabled, uses the default store."""
    environment = os.environ | {
        "PYTHONPATH": PYTHON_PATH,
        "TOY_FAULTS": json.dumps(faults or {}),
        "TOY_SECONDS": str(seconds),
        "MLFLOW_TRACKING_URI": uri,
    }
    command = [sys.executable, *program, *words]
    with (folder / "driver.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def launch(folder: Path, *words: str, **options) -> subprocess.Popen:
    return start(folder, "launch", str(write_study(folder)), "--storage", str(folder), *TRACKED, *words, **options)


def kill(process: subprocess.Popen, number: signal.Signals) -> list[psutil.Process]:
    """Sends the signal to the driver; returns the driver and the children that it had before."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(number)
    return family


def left_behind(family: list[psutil.Process], seconds: float = 60) -> list[str]:
    """Returns the processes still alive after ``seconds``; a worker needs ten to notice that its raylet is gone."""
    _, alive = psutil.wait_procs(family, timeout=patience(seconds))
    return [str(process) for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def read_log(folder: Path) -> str:
    return (folder / "driver.log").read_text()


def wait_for(folder: Path, process: subprocess.Popen, text: str) -> None:
    """Waits until the driver has logged a text; fails if the driver ends first."""
    while text not in read_log(folder):
        assert process.poll() is None, read_log(folder)
        time.sleep(0.1)


def kill_repeatedly(
    folder: Path, study: Path, first: tuple[str, ...], kills: int, number: signal.Signals, **options
) -> dict[str, int]:
    """Stops the driver at random moments and resumes the study until it has finished; returns counts.

    Args:
        folder: Folder of the driver's log.
        study: Study directory that the first command creates.
        first: Arguments of the launch command.
        kills: Largest number of stops.
        number: Signal to send.
        options: Arguments of ``start``.
    """
    generator = random.Random(kills)
    process = start(folder, *first, **options)
    finished: dict[Path, bytes] = {}
    everybody: list[psutil.Process] = []
    stopped = 0
    while stopped < kills:
        # From before the first trial to the middle of several: Ray alone takes five to eight seconds to start.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(generator.uniform(3, 20))
            break
        family = kill(process, number)
        everybody += family
        code = process.wait(patience(60))
        stopped += 1
        assert code in ((-signal.SIGKILL,) if number == signal.SIGKILL else (130, 0)), read_log(folder)
        if stopped % 2:  # every other time the next driver starts beside the previous driver's workers
            left_behind(family, seconds=15)
        for path, content in finished.items():
            assert (path.parent / "metrics.jsonl").read_bytes() == content  # V2
        finished = finished_runs(study)
        again = ("resume", str(study)) if (study / "study.yaml").exists() else first
        process = start(folder, *again, **options)
    assert process.wait(patience(600)) == 0, read_log(folder)
    assert left_behind(everybody) == []  # V8
    return verify_study(study) | verify_tracking(study) | {"kills": stopped}
