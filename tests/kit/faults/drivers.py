"""Real drivers in sessions of their own, which a test may kill; training is a toy's, or real."""

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
    """A driver in its own session; without ``uri`` it is tracked in the default store, if it is."""
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
    """Sends the signal to the driver; returns it and all its children as they were before."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(number)
    return family


def left_behind(family: list[psutil.Process], seconds: float = 60) -> list[str]:
    """What is still alive after some seconds; a worker outlives its driver by ten, until it misses its raylet."""
    _, alive = psutil.wait_procs(family, timeout=patience(seconds))
    return [str(process) for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def read_log(folder: Path) -> str:
    return (folder / "driver.log").read_text()


def wait_for(folder: Path, process: subprocess.Popen, text: str) -> None:
    """Until a driver has written a text; it must not end before."""
    while text not in read_log(folder):
        assert process.poll() is None, read_log(folder)
        time.sleep(0.1)


def kill_repeatedly(
    folder: Path, study: Path, first: tuple[str, ...], kills: int, number: signal.Signals, **options
) -> dict[str, int]:
    """Stops the driver at random moments, each time followed by ``resume``, until it has ended; returns counts.

    Args:
        folder: Where the driver's log goes.
        study: The study directory that the first command makes.
        first: The launch.
        kills: How often at most.
        number: The signal.
        options: Of ``start``.
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
        if stopped % 2:  # every second time the next driver meets the last one's workers
            left_behind(family, seconds=15)
        for path, content in finished.items():
            assert (path.parent / "metrics.jsonl").read_bytes() == content  # V2
        finished = finished_runs(study)
        again = ("resume", str(study)) if (study / "study.yaml").exists() else first
        process = start(folder, *again, **options)
    assert process.wait(patience(600)) == 0, read_log(folder)
    assert left_behind(everybody) == []  # V8
    return verify_study(study) | verify_tracking(study) | {"kills": stopped}
