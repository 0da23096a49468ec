"""S4, S12: overhead of the platform: studies of 10, 100 and 1,000 trials without training."""

import functools
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks.measuring import Finding, interleave, ratio, run_module
from tests.kit.paths import PYTHON_PATH

TARGET_SECONDS = 0.5
TARGET_SHARE = 0.01
REAL_TRIAL_SECONDS = 180
TARGET_GROWTH = 1.2
SIZES = (10, 100, 1000)
ROUNDS = 1
MODULE = "tests.benchmarks.study.overhead"


def empty_search(trials: int, folder: Path) -> dict[str, float]:
    """Runs a search whose trials report one epoch and end.

    Returns:
        Seconds per trial from the end of the first to the end of the last, and the driver's peak memory in MiB.
    """
    from rich.console import Console

    from study import api
    from study.state.directory import open_study
    from tests.kit.fakes import toy

    space = {"temperature": {"low": 0.5, "high": 16, "log": True}, "lambda_cls": {"low": 0.1, "high": 8, "log": True}}
    directory, ending = api.launch(
        toy.write_study(folder),
        folder,
        overrides={
            "search.space": space,
            "search.trials": trials,
            "search.sampler.name": "random",  # the cost of others grows with the number of trials
            "training.epochs": 1,
            "controls": [],
            "tracking.enabled": True,
        },
        address="local",
        until="search",
        console=Console(quiet=True),
        trainable=toy.ToyTrainable,
    )
    assert ending.complete == trials, ending
    with open_study(directory) as study:
        ends = sorted(trial.datetime_complete for trial in study.store.trials("search"))
    return {
        "trial_seconds": (ends[-1] - ends[0]).total_seconds() / (trials - 1),
        "driver_mebibytes": peak_memory(),
    }


def peak_memory() -> float:
    """Returns the peak resident memory of this process in MiB; ``resource`` would include the parent's before exec."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def measure() -> Finding:
    """Measures the cost of a trial in each study in turn, and the driver's memory."""
    sizes = {f"{size} trials": size for size in SIZES} | {f"{SIZES[1]} trials again": SIZES[1]}
    memory: dict[str, list[float]] = {name: [] for name in sizes}

    def seconds_of(name: str) -> float:
        found = run_module([MODULE, str(sizes[name])], PYTHONPATH=PYTHON_PATH)
        memory[name].append(found["driver_mebibytes"])
        return found["trial_seconds"]

    costs = interleave(ROUNDS, {name: functools.partial(seconds_of, name) for name in sizes})
    short, middle, long, again = sizes
    cost = max(median(values) for values in costs.values())
    # While the driver handles the end of a trial, all cores may wait.
    share = cost * len(os.sched_getaffinity(0)) / REAL_TRIAL_SECONDS
    growth = ratio(costs, long, middle)
    figures = {f"{name}, seconds a trial": median(values) for name, values in costs.items()}
    figures |= {f"{name}, driver's peak MiB": median(values) for name, values in memory.items()}
    figures |= {
        "share of a trial of 3 minutes": share,
        f"{middle} / {short}, seconds a trial": ratio(costs, middle, short),
        f"{long} / {middle}, seconds a trial": growth,
        f"{middle} / {again}, seconds a trial": ratio(costs, middle, again),
    }
    target = f"<= {TARGET_SECONDS} s a trial, <= {TARGET_SHARE:.0%} of a trial of 3 minutes, flat within 20 %"
    return Finding(target, cost <= TARGET_SECONDS and share <= TARGET_SHARE and growth <= TARGET_GROWTH, figures)


if __name__ == "__main__":
    # Ray's socket paths are limited to 107 bytes, so the folder must have a short path.
    with tempfile.TemporaryDirectory(prefix="cskd-bench-", dir="/tmp") as temporary:
        print(json.dumps(empty_search(int(sys.argv[1]), Path(temporary))))
