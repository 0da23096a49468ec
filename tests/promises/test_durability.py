"""Kills real runs before each of their durable writes and resumes them.

One process imports torch, reads the digits and forks a child for each attempt. A child counts its durable writes and
kills itself before the n-th. A simulated slow disk extends the write of a checkpoint into the next epoch.
``tests/benchmarks/training/durability.py`` measures the cost of durability.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.kit.paths import PYTHON_PATH
from trainables.runs.run_directory import RunDirectory

EPOCHS = 3
DISK_SECONDS = 0.03  # delay of each write of a checkpoint: nearly an epoch


class Kills:
    """Counts durable writes of all threads and kills the process before the n-th."""

    def __init__(self, at: int | None) -> None:
        self._at = at
        self._count = itertools.count(1)
        self._lock = threading.Lock()

    def wrap(self, module, name: str) -> None:
        write = getattr(module, name)

        def counted(path, content, *rest):
            if threading.current_thread() is not threading.main_thread():
                time.sleep(DISK_SECONDS)
            with self._lock:
                if next(self._count) == self._at:
                    os.kill(os.getpid(), signal.SIGKILL)
                write(path, content, *rest)

        setattr(module, name, counted)


def attempt(directory: Path, number: int, kill_at: int | None) -> bool:
    """Runs an attempt in a child process; returns whether it finished the run."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert status in (0, signal.SIGKILL), f"the child ended with {status}"
        return status == 0
    try:
        train(directory, number, Kills(kill_at))
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def train(directory: Path, number: int, kills: Kills) -> None:
    from tests.kit.inputs.training import Ledger, small_config
    from trainables.runs import checkpoint, predictions, run_directory
    from trainables.training.run import Run

    for module in (run_directory, checkpoint):
        kills.wrap(module, "write_atomic")
    kills.wrap(predictions, "write")
    kills.wrap(run_directory, "append_json_line")
    config = small_config(epochs=EPOCHS)
    run = Run(config, directory, attempt=number, test_access=Ledger(directory), keep_checkpoint=True)
    while not isinstance(run.advance(), run_directory.Outcome):
        pass


def sweep(folder: Path) -> int:
    """Kills an attempt before each durable write in turn and lets the next one finish; returns the number of writes."""
    kill_at = 1
    while not attempt(directory := folder / f"kill_{kill_at}", 1, kill_at):
        assert attempt(directory, 2, None)
        kill_at += 1
    return kill_at - 1


def stumble(folder: Path) -> int:
    """Kills attempts at random writes until one finishes; returns the number of attempts."""
    draw, number = random.Random(0), 1
    while not attempt(folder / "stumble", number, draw.randint(1, 9)):
        number += 1
    return number


def main(folder: Path) -> None:
    from tests.kit.inputs.training import small_config
    from trainables.training.run import Run

    Run(small_config(), folder / "warm")  # children inherit the imported modules and the loaded data
    assert attempt(folder / "unbroken", 1, None)
    print(json.dumps({"writes": sweep(folder), "attempts": stumble(folder)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))


def check_run(directory: Path, unbroken: Path, attempts: int) -> int:
    """Asserts that a killed run ended like the uninterrupted one; returns the number of repeated epochs."""
    from analysis.records.predictions import read
    from trainables.runs import checkpoint, checkpoint_names

    run, expected = RunDirectory(directory), RunDirectory(unbroken)
    rows = run.epochs()
    assert [row.epoch for row in rows] == list(range(1, EPOCHS + 1))
    assert [row.metrics for row in rows] == [row.metrics for row in expected.epochs()]
    outcome = run.outcome()
    assert (outcome.state, outcome.attempt, outcome.metrics) == ("finished", attempts, expected.outcome().metrics)
    saved = checkpoint_names.generations(run.checkpoints)
    assert checkpoint.load(saved[0])["epoch"] == EPOCHS
    assert all(checkpoint.load(path) for path in saved if checkpoint_names.checksum_of(path).exists())
    found, wanted = read(run.predictions), read(expected.predictions)
    assert all((a == b).all() for a, b in zip(found, wanted, strict=True))
    again = run.epochs_trained() - len(rows)
    assert again <= attempts - 1  # at most one epoch per kill
    return again


@pytest.mark.fault(1, 4)
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_kill_before_any_durable_write_costs_at_most_one_epoch(tmp_path):
    environment = os.environ | {"PYTHONPATH": PYTHON_PATH}
    command = [sys.executable, __file__, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    writes = 4 + 3 * EPOCHS  # start, predictions of two splits, outcome; line, checkpoint, checksum per epoch
    assert counts["writes"] == writes
    unbroken = tmp_path / "unbroken"
    assert sum(check_run(tmp_path / f"kill_{number}", unbroken, 2) for number in range(1, writes + 1)) > 0
    assert counts["attempts"] > 2
    check_run(tmp_path / "stumble", unbroken, counts["attempts"])
