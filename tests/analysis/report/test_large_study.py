"""Tests time and memory of the report of a large study: a thousand trials of two hundred epochs."""

import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from analysis.records import result_files

TRIALS, EPOCHS = 1000, 200
PROCESSOR_SECONDS, BYTES = 10.0, 2**30

REPORT = """
import resource, sys, time
from pathlib import Path
from analysis.records import result_files as records
from analysis.report import study_report as report
folder = Path(sys.argv[1])
report.write(records.read(folder / "results"), folder / "report")
print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.fixture
def large(searched: dict[str, Any]) -> dict[str, Any]:
    """Returns a study with a thousand trials, of which every fifth was pruned."""
    random, template = np.random.default_rng(0), searched["trials"][0]
    trials, epochs = [], []
    for number in range(TRIALS):
        point = 2 ** random.uniform(-1, 4), 2 ** random.uniform(-3, 3), 2 ** random.uniform(-4, 2)
        value = 0.22 + 0.01 * np.log(point[1] * min(point[0], 4) / 4) ** 2 + 0.003 * random.normal()
        names = ("params/temperature", "params/lambda_cls", "params/lambda_e")
        metrics = {"validation/top1_error": value, "validation/nll": 4 * value, "validation/ece": abs(value - 0.2)}
        state = "PRUNED" if number % 5 == 4 else "COMPLETE"
        trials.append(template | {"trial": number, "state": state} | dict(zip(names, point, strict=True)) | metrics)
        last = EPOCHS if state == "COMPLETE" else EPOCHS // 4
        curve = value + 0.4 / np.arange(1, last + 1) + 0.01 * random.normal(size=last)
        key = {"study": "cifar100-cs_kd", "phase": "search", "trial": number, "attempt": 1, "epoch_seconds": 0.5}
        epochs += [
            key | {"epoch": epoch, "validation/top1_error": float(x), "train/ce": 4.0 / epoch, "train/cls": 0.1}
            for epoch, x in enumerate(curve, start=1)
        ]
    return searched | {"trials": trials + searched["trials"][-2:], "epochs": epochs}


@pytest.mark.long
def test_a_thousand_trials_take_ten_seconds_and_a_gigabyte(large: dict[str, Any], tmp_path: Any) -> None:
    result_files.write(tmp_path / "results", **large)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", REPORT, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    seconds, peak = (float(number) for number in done.stdout.split())
    print(f"{seconds:.1f} s of processor time, {time.monotonic() - start:.1f} s, {peak / 2**30:.2f} GiB")
    assert seconds < PROCESSOR_SECONDS
    assert peak < BYTES
