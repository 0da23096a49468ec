"""S10b: time from the creation of a trial to its first step, with a running worker and with a new one."""

import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks.measuring import Finding, run_module

WARM_TARGET, COLD_TARGET = 1.0, 60.0
TRIALS = 12
EPOCHS = 4
MODULE = "tests.benchmarks.study.start"


def starts(folder: Path) -> list[float]:
    """Runs a search; returns the seconds from each trial's creation in the database to its first step, in order."""
    from rich.console import Console

    from study import api
    from study.state.directory import open_study
    from trainables.runs.run_directory import RunDirectory

    overrides = {"training.epochs": EPOCHS, "search.trials": TRIALS, "search.sampler.name": "random", "controls": []}
    directory, _ = api.launch(
        "digits", folder, overrides=overrides, address="local", until="search", console=Console(quiet=True)
    )
    with open_study(directory) as study:
        trials = study.store.trials("search")
    firsts = [RunDirectory(directory / "trials" / str(trial.number)).epochs()[0] for trial in trials]
    created = [trial.datetime_start.timestamp() for trial in trials]
    return [row.time - row.epoch_seconds - begun for row, begun in zip(firsts, created, strict=True)]


def measure() -> Finding:
    """Measures a search of short trials in a separate process; the first trial of each worker waits for its start."""
    found = list(run_module([MODULE])["starts"])
    workers = len(os.sched_getaffinity(0))
    cold, warm = max(found[:workers]), median(found[workers:])
    figures = {
        "warm worker, seconds": warm,
        "warm worker, slowest, seconds": max(found[workers:]),
        "cold, seconds": cold,
    }
    return Finding(
        f"warm <= {WARM_TARGET:g} s, cold <= {COLD_TARGET:g} s", warm <= WARM_TARGET and cold <= COLD_TARGET, figures
    )


if __name__ == "__main__":
    # Ray's socket paths are limited to 107 bytes, so the folder must have a short path.
    with tempfile.TemporaryDirectory(prefix="cskd-bench-", dir="/tmp") as temporary:
        print(json.dumps({"starts": starts(Path(temporary))}))
    sys.stdout.flush()
