"""Benchmark tools: interleaved rounds of variants, medians, and a result file per machine."""

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
    """Result of a benchmark.

    Attributes:
        target: Description of the target.
        met: Whether the target is met.
        figures: Medians by name; the name ends with the unit.
    """

    target: str
    met: bool
    figures: dict[str, float]

    def __str__(self) -> str:
        rows = [f"  {name:<44} {value:>14,.4g}" for name, value in self.figures.items()]
        return "\n".join([*rows, f"  target: {self.target}: {'met' if self.met else 'MISSED'}"])


def seconds(work: Callable[[], object]) -> float:
    """Returns the wall time of a call in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleave(rounds: int, variants: dict[str, Callable[[], float]]) -> Rounds:
    """Measures variants in interleaved rounds of alternating order, so that drift of the machine favours none.

    Args:
        rounds: Number of rounds.
        variants: Functions that return a cost, by name.

    Returns:
        Costs of each round by variant.
    """
    costs: Rounds = {name: [] for name in variants}
    for number in range(rounds):
        for name in list(variants)[:: -1 if number % 2 else 1]:
            costs[name].append(variants[name]())
    return costs


def ratio(costs: Rounds, slow: str, fast: str) -> float:
    """Returns the median over the rounds of the cost of ``slow`` divided by that of ``fast``."""
    return median(a / b for a, b in zip(costs[slow], costs[fast], strict=True))


def against_reference(
    rounds: int, reference: Callable[[], float], ours: Callable[[], float]
) -> tuple[float, dict[str, float]]:
    """Compares the seconds per image of the project with those of a reference, and the reference with itself.

    Args:
        rounds: Number of interleaved rounds.
        reference: Function that returns the reference's seconds per image.
        ours: Function that returns the project's seconds per image.

    Returns:
        Speed-up of the project over the reference, and the figures.
    """
    costs = interleave(rounds, {"reference": reference, "ours": ours, "reference again": reference})
    speedup = ratio(costs, "reference", "ours")
    figures = {f"{name}, images a second": 1 / median(values) for name, values in costs.items()}
    figures |= {
        "reference / ours": speedup,
        "reference / reference again": ratio(costs, "reference", "reference again"),
    }
    return speedup, figures


def run_module(arguments: Iterable[str], **environment: str) -> dict[str, float]:
    """Runs ``python -m <arguments>`` in a separate process.

    Returns:
        JSON object from the last line of its output, with the wall time of the process as ``wall_seconds``.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1]) | {"wall_seconds": time.perf_counter() - start}


def machine() -> str:
    """Returns a name of this machine: its GPU, such as ``gpu-nvidia-h200``, else CPU model and usable cores."""
    import torch  # imported late: a benchmark measures the memory of the driver, which does not import torch

    if torch.cuda.is_available():
        return f"gpu-{_plain(torch.cuda.get_device_name())}"
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text() if info.exists() else "", re.MULTILINE)
    model = found[1] if found else platform.processor() or platform.machine()
    return f"cpu-{_plain(model)}-{len(os.sched_getaffinity(0))}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(.*?\)|@.*", "", name.lower())).strip("-")


def versions() -> dict[str, str]:
    """Returns the versions of Python and the installed libraries."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def record(benchmark: str, finding: Finding, load: float) -> Path:
    """Writes a finding to this machine's result file, replacing the benchmark's earlier one; returns the file.

    Args:
        benchmark: Name of the benchmark.
        finding: Result of the benchmark.
        load: Load average of the machine before the benchmark; on a busy machine only ratios are meaningful.
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
