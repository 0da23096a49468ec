"""Tracking: requests and time per epoch, slowdown of trials, and longest pause of the driver if MLflow fails."""

import contextlib
import functools
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.measuring import Finding, interleave, ratio, run_module
from tests.kit.paths import PYTHON_PATH

TARGET_PAUSE_SECONDS = 0.1
TARGET_SLOWDOWN = 1.02
MODULE = "tests.benchmarks.study.tracking"
EPOCHS, TRIALS = 60, 8
EPOCH_SECONDS = 0.01  # pause of the driver's loop; no real study has a hundred epochs per second
ROUNDS = 1


def follow_a_study(folder: Path, mode: str) -> dict[str, float]:
    """Runs a driver's loop without Ray in this process, tracked in MLflow.

    Args:
        folder: Folder of all files.
        mode: ``off``; ``local``, the default store; ``server``; ``hangs``, a server that never answers in time;
            ``dies``, a server that is killed and restarted.
    """
    from study.definition import loading, yaml_reader
    from study.state import directory
    from study.tracking.tracking_thread import Tracker
    from tests.kit.fakes import toy
    from tests.kit.fakes.executor import Executor
    from tests.kit.servers.mlflow_server import Proxy, Server

    content = yaml_reader.parse(toy.STUDY.encode(), "toy")
    content["training"] = {"epochs": EPOCHS}
    content["tracking"] = {"enabled": mode != "off"}
    server = proxy = None
    if mode in ("server", "hangs", "dies"):
        server = Server(folder).start()
        proxy = Proxy(server)
        os.environ["MLFLOW_TRACKING_URI"] = proxy.uri
    toy.SAVE_EVERY = 10
    with directory.open_study(directory.create(loading.build(content, "toy"), folder)) as study:
        pauses, spent = Pauses(), Spent()
        with Tracker(study.directory, lambda _: None, enabled=mode != "off") as tracker, spent.measured():
            time.sleep(5)  # the time that Ray takes to start
            tracker.start()
            _inject_faults(mode, server, proxy)
            Executor(study, pauses.at_each_epoch).run()
            tracker.catch_up(20)
            tracker.end(20)
        epochs = pauses.epochs
    if server is not None and proxy is not None:
        server.kill()
        proxy.close()
    requests = sum(proxy.requests.values()) if proxy else 0
    return {
        "longest_pause_seconds": pauses.longest,
        "requests_an_epoch": requests / epochs,
        "milliseconds_an_epoch": 1000 * spent.seconds / epochs,
    }


class Pauses:
    """Measures the longest time between two epochs of the driver's loop, without the loop's own pause."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.epochs = 0
        self._last: float | None = None

    def at_each_epoch(self, *_: object) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self.longest = max(self.longest, now - self._last)
        self.epochs += 1
        time.sleep(EPOCH_SECONDS)
        self._last = time.perf_counter()


class Spent:
    """Measures the time that the tracking thread spends on MLflow."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        from study.tracking.reconciler import Mirror

        original = Mirror.bring_up_to_date

        @functools.wraps(original)
        def timed(mirror: Mirror, *, live: bool) -> None:
            start = time.perf_counter()
            original(mirror, live=live)
            self.seconds += time.perf_counter() - start

        Mirror.bring_up_to_date = timed
        yield
        Mirror.bring_up_to_date = original


def _inject_faults(mode: str, server, proxy) -> None:
    if mode == "hangs":
        proxy.faults.extend(["hang"] * 1000)
    if mode == "dies":
        threading.Timer(2, server.kill).start()
        threading.Timer(4, server.start).start()


def train_digits(folder: Path, tracked: bool) -> dict[str, float]:
    """Runs a real study; returns the seconds that its trials trained."""
    from rich.console import Console

    from study import api
    from study.state.directory import open_study
    from trainables.runs.run_directory import RunDirectory

    overrides = {"tracking.enabled": tracked, "search.trials": TRIALS, "controls": [], "search.sampler.name": "random"}
    directory, ending = api.launch(
        "digits", folder, overrides=overrides, address="local", until="search", console=Console(quiet=True)
    )
    assert ending.complete == TRIALS, ending
    with open_study(directory) as study:
        numbers = [trial.number for trial in study.store.trials("search")]
    return {"trained_seconds": sum(RunDirectory(directory / f"trials/{n}").device_seconds() for n in numbers)}


VARIANTS: dict[str, Callable[[Path], dict[str, float]]] = {
    **{mode: functools.partial(follow_a_study, mode=mode) for mode in ("off", "local", "server", "hangs", "dies")},
    "digits untracked": functools.partial(train_digits, tracked=False),
    "digits tracked": functools.partial(train_digits, tracked=True),
}


def measure() -> Finding:
    """Measures all modes of MLflow in turn, then the same real study with and without it."""
    found: dict[str, list[dict[str, float]]] = {}

    def run(name: str) -> dict[str, float]:
        variant = name.removesuffix(" again")
        found.setdefault(name, []).append(run_module([MODULE, variant], PYTHONPATH=PYTHON_PATH))
        return found[name][-1]

    loops = [*(name for name in VARIANTS if not name.startswith("digits")), "off again"]
    pauses = interleave(ROUNDS, {name: lambda name=name: run(name)["longest_pause_seconds"] for name in loops})
    studies = ("digits untracked", "digits tracked", "digits untracked again")
    trained = interleave(ROUNDS, {name: lambda name=name: run(name)["trained_seconds"] for name in studies})
    walls = {name: [one["wall_seconds"] for one in found[name]] for name in studies}
    slowdown = ratio(trained, "digits tracked", "digits untracked")
    figures = {f"MLflow {name}: driver's longest pause, seconds": median(values) for name, values in pauses.items()}
    for mode in ("local", "server"):
        for what in ("requests_an_epoch", "milliseconds_an_epoch"):
            figures[f"MLflow {mode}: {what.replace('_', ' ')}"] = median(one[what] for one in found[mode])
    figures |= {
        "trained seconds, tracked / untracked": slowdown,
        "trained seconds, untracked again / untracked": ratio(trained, "digits untracked again", "digits untracked"),
        "wall seconds, tracked / untracked": ratio(walls, "digits tracked", "digits untracked"),
    }
    worst = max(median(pauses[name]) for name in loops if not name.startswith("off"))
    target = f"pauses <= {TARGET_PAUSE_SECONDS} s, trials slower by <= {TARGET_SLOWDOWN - 1:.0%}"
    return Finding(target, worst <= TARGET_PAUSE_SECONDS and slowdown <= TARGET_SLOWDOWN, figures)


if __name__ == "__main__":
    # Ray's socket paths are limited to 107 bytes, so the folder must have a short path.
    with tempfile.TemporaryDirectory(prefix="cskd-bench-", dir="/tmp") as temporary:
        print(json.dumps(VARIANTS[sys.argv[1]](Path(temporary))))
