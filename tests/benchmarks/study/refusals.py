"""S5: time until an invalid input is rejected; run as a module, it prints the message for each input."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from tests.benchmarks.measuring import REPOSITORY, Finding
from tests.kit.faults.refused_data import DATA_CASES
from tests.kit.faults.refused_inputs import CASES, Case

TARGET_SECONDS = 1.0
TARGET_HELP_SECONDS = 0.5
AT_ONCE = {*map(str, range(1, 32)), "33"}
ROUNDS = 3
ALL = (*CASES, *DATA_CASES)


LOCKS = (".driver.lock", ".cskd.lock")


def cskd(arguments: tuple[str, ...], folder: Path, variables: Mapping[str, str]) -> tuple[int, str, float]:
    """Runs a command in a separate process; returns exit code, output and seconds."""
    path = os.pathsep.join([str(REPOSITORY), str(folder)])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, "COLUMNS": "120"} | variables
    command = [sys.executable, "-m", "study.cli", *arguments]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr or done.stdout, time.perf_counter() - start


def refuse(case: Case) -> tuple[int, str, float]:
    """Returns exit code, message and median seconds of an input; asserts that it leaves no files."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        case.write(folder)
        before = paths_in(folder)
        found = [cskd(case.arguments, folder, case.environment) for _ in range(ROUNDS)]
        assert paths_in(folder) == before, case
    code, output, _ = found[0]
    assert code == case.code, (case, output)
    assert case.says in output, (case, output)
    return code, output.splitlines()[-1], median(seconds for *_, seconds in found)


def paths_in(folder: Path) -> set[Path]:
    """Returns all paths except lock files and Python's byte code."""
    return {path for path in folder.rglob("*") if path.name not in LOCKS and "__pycache__" not in path.parts}


def help_seconds() -> float:
    """Returns the median seconds of ``cskd --help``."""
    return median(cskd(("--help",), REPOSITORY, {})[2] for _ in range(5))


def measure() -> Finding:
    """Measures the slowest rejections and the help page."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for case in ALL:
        seconds[case.number in AT_ONCE].append(refuse(case)[2])
    shown = help_seconds()
    figures = {
        "inputs": len(ALL),
        "slowest of 1-31 and 33, seconds": max(seconds[True]),
        "median of 1-31 and 33, seconds": median(seconds[True]),
        "slowest of 34 to 42, seconds": max(seconds[False]),
        "cskd --help, seconds": shown,
    }
    target = f"<= {TARGET_SECONDS} s for 1-31 and 33, <= {TARGET_HELP_SECONDS} s for help"
    return Finding(target, max(seconds[True]) <= TARGET_SECONDS and shown <= TARGET_HELP_SECONDS, figures)


def main() -> None:
    print("| number | input | code | message | ms |\n| --- | --- | --- | --- | --- |")
    for case in ALL:
        code, message, seconds = refuse(case)
        shown = message.replace("|", "\\|").replace("<", "\\<")
        if len(shown) > 200:
            shown = f"{shown[:100]} … {shown[-90:]}"
        print(f"| {case.number} | {case.what} | {code} | {shown} | {1000 * seconds:.0f} |", flush=True)
    print(f"\n`cskd --help`: {1000 * help_seconds():.0f} ms")


if __name__ == "__main__":
    main()
