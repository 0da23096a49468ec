"""Measuring side by side: rounds in which each variant has its turn, medians, a file of results per machine."""

import contextlib
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

REPOSITORY = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("mlflow", "numpy", "optuna", "pillow", "ray", "torch", "torchvision")

Rounds = dict[str, list[float]]


@dataclass(frozen=True)
class Finding:
    """What a benchmark found.

    Attributes:
        target: What was asked for.
        met: Whether it is reached.
        figures: Medians by name; the name ends with the unit.
    """

    target: str
    met: bool
    figures: dict[str, float]

    def __str__(self) -> str:
        rows = [f"  {name:<44} {value:>14,.4g}" for name, value in self.figures.items()]
        return "\n".join([*rows, f"  target: {self.target}: {'met' if self.met else 'MISSED'}"])


def seconds(work: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleave(rounds: int, variants: dict[str, Callable[[], float]]) -> Rounds:
    """Costs of the variants; each round turns the order around, so that a machine that slows down favours none."""
    costs: Rounds = {name: [] for name in variants}
    for number in range(rounds):
        for name in list(variants)[:: -1 if number % 2 else 1]:
            costs[name].append(variants[name]())
    return costs


def ratio(costs: Rounds, slow: str, fast: str) -> float:
    """How many times more ``slow`` costs than ``fast``: the median over the rounds of their quotient in that round."""
    return median(a / b for a, b in zip(costs[slow], costs[fast], strict=True))


def against_reference(
    rounds: int, reference: Callable[[], float], ours: Callable[[], float]
) -> tuple[float, dict[str, float]]:
    """Seconds an image of a reference and of ours, in turn, with the reference against itself.

    Returns:
        How many times faster ours is, and the figures.
    """
    costs = interleave(rounds, {"reference": reference, "ours": ours, "reference again": reference})
    speedup = ratio(costs, "reference", "ours")
    figures = {f"{name}, images a second": 1 / median(values) for name, values in costs.items()}
    figures |= {
        "reference / ours": speedup,
        "reference / reference again": ratio(costs, "reference", "reference again"),
    }
    return speedup, figures


def run_module(words: Iterable[str], **environment: str) -> dict[str, float]:
    """Runs ``python -m <words>`` in a process of its own.

    Returns:
        The JSON object in the last line that it prints, with ``wall_seconds`` from its start to its end.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1]) | {"wall_seconds": time.perf_counter() - start}


def machine() -> str:
    """Name of this machine: its GPU, such as ``gpu-nvidia-h200``, else the CPU's model and its usable cores."""
    import torch  # here: a benchmark of the driver counts what the driver imports

    if torch.cuda.is_available():
        return f"gpu-{_plain(torch.cuda.get_device_name())}"
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text() if info.exists() else "", re.MULTILINE)
    model = found[1] if found else platform.processor() or platform.machine()
    return f"cpu-{_plain(model)}-{len(os.sched_getaffinity(0))}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(.*?\)|@.*", "", name.lower())).strip("-")


def versions() -> dict[str, str]:
    """Of Python and of the libraries that are installed."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def record(benchmark: str, finding: Finding, load: float) -> Path:
    """Puts a finding into this machine's file, in place of the benchmark's earlier one.

    Args:
        benchmark: Its name.
        finding: What it found.
        load: Load average of the machine before it began; figures of a busy machine are to be read as ratios only.
    """
    path = RESULTS / f"{machine()}.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    results[benchmark] = asdict(finding) | {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "load_before": round(load, 2),
        "versions": versions(),
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
    return path
