"""Random SIGKILLs of a real driver on a busy machine: lost and repeated work, and time until it continues."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.measuring import Finding
from tests.kit.fakes.toy import write_study
from tests.kit.faults.drivers import TRACKED, kill, left_behind, read_log, start
from tests.kit.faults.oracle import finished_runs, verify_study, verify_tracking

KILLS = 200
TO_A_STUDY = 8  # a study ends after about as many kills
# Range of seconds at which a driver is killed: half of the kills after its start, half after its first epoch.
MOMENTS = ((1.0, 15.0), (0.0, 5.0))
EPOCH_SECONDS = 0.4
BUSY_LOOPS = 2
TARGET_RETRAINED = 1.0  # epochs per running trial; as many trials run as there are cores


class Tally:
    """Counts of kills and their consequences."""

    def __init__(self) -> None:
        self.kills = self.studies = self.violations = self.retrained = self.duplicates = self.left = 0
        self.resumed: list[float] = []

    def settle(self, study: Path) -> None:
        """Verifies a finished study; prints and counts a violation."""
        self.studies += 1
        try:
            counts = verify_study(study) | verify_tracking(study)
        except AssertionError as error:
            self.violations += 1
            print(f"  violation after {self.kills} kills: {error}", flush=True)
            return
        self.retrained += counts["retrained_epochs"]
        self.duplicates += counts["duplicates"]


@contextlib.contextmanager
def busy_loops() -> Iterator[None]:
    """Runs ``BUSY_LOOPS`` processes that keep the cores busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY_LOOPS)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def log_bytes(study: Path) -> int:
    """Returns the size of the runs' logs in bytes, which grows with each epoch."""
    return sum(path.stat().st_size for path in study.glob("*/*/metrics.jsonl"))


def live(process: subprocess.Popen, study: Path, seconds: float, *, from_epoch: bool) -> float | None:
    """Lets a driver run for ``seconds`` after its start or its first epoch.

    Returns:
        Seconds until the first epoch; None if there was none.
    """
    begun, before, first = time.monotonic(), log_bytes(study), None
    while process.poll() is None:
        now = time.monotonic()
        if first is None and log_bytes(study) > before:
            first = now
        since = first if from_epoch else begun
        if since is not None and now - since >= seconds:
            break
        time.sleep(0.05)
    return None if first is None else first - begun


def disturb_study(folder: Path, generator: random.Random, tally: Tally, kills: int) -> None:
    """Kills the drivers of one study at random moments until it is done, at most ``kills`` times."""
    study = folder / "toy"
    first = ("launch", str(write_study(folder)), "--storage", str(folder), *TRACKED)
    process, finished, family, done = start(folder, *first, seconds=EPOCH_SECONDS), {}, [], 0
    while done < kills:
        from_epoch = generator.random() < 0.5
        first_epoch = live(process, study, generator.uniform(*MOMENTS[from_epoch]), from_epoch=from_epoch)
        if first_epoch is not None and done:
            tally.resumed.append(first_epoch)
        if process.poll() is not None:
            break
        family += kill(process, signal.SIGKILL)
        process.wait(60)
        done += 1
        runs = finished_runs(study)
        tally.violations += any(runs.get(path) != content for path, content in finished.items())  # V2
        finished = runs
        again = ("resume", str(study)) if (study / "study.yaml").exists() else first
        process = start(folder, *again, seconds=EPOCH_SECONDS)
    tally.kills += done
    if process.wait(600) != 0:  # V7
        tally.violations += 1
        print(read_log(folder)[-2000:], flush=True)
    tally.left += len(left_behind(family))  # V8
    tally.settle(study)


def measure(kills: int = KILLS) -> Finding:
    """Kills the given number of drivers, in one study after another."""
    generator, tally = random.Random(0), Tally()
    os.environ["TOY_SAVE_EVERY"] = "2"  # with a checkpoint at every epoch, a kill could lose none
    with busy_loops():
        while tally.kills < kills:
            with tempfile.TemporaryDirectory() as folder:
                disturb_study(Path(folder), generator, tally, min(TO_A_STUDY, kills - tally.kills))
            print(f"  {tally.kills} kills, {tally.studies} studies, {tally.violations} violations", flush=True)
    a_kill = tally.retrained / max(tally.kills, 1)
    figures = {
        "kills": float(tally.kills),
        "studies": float(tally.studies),
        "violations of V1 to V7": float(tally.violations),
        "trials of one point twice": float(tally.duplicates),
        "processes left behind": float(tally.left),
        "epochs trained twice, of a kill": a_kill,
        "to the next epoch after a resume, median seconds": median(tally.resumed or [0.0]),
        "to the next epoch after a resume, longest seconds": max(tally.resumed, default=0.0),
    }
    nothing_wrong = tally.violations == tally.duplicates == tally.left == 0
    return Finding(
        "no violation, no duplicate, nothing left; at most one epoch twice for each running trial",
        nothing_wrong and a_kill <= TARGET_RETRAINED * BUSY_LOOPS,
        figures,
    )
