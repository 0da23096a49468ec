"""Kills the driver at each crash point and resumes it: no result is lost, duplicated or different (V1 to V6, V10)."""

import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.records import result_files
from study.outcome import result_files as results
from study.outcome.verification import verify
from study.phases import limits
from study.state import directory
from study.state.directory import OpenStudy, open_study
from study.tracking.tracking_thread import open_mirror
from tests.kit.fakes.executor import Executor
from tests.kit.faults.oracle import finished_runs, verify_study, verify_tracking
from trainables.files.faultpoints import POINTS, arm
from trainables.runs.run_directory import Outcome, RunDirectory
from trainables.training.run import Run

OF_A_REAL_RUN = [name for name in POINTS if name.split(":")[0] in ("checkpoint", "run")]
OF_MLFLOW = [name for name in POINTS if name.startswith("mirror")]
# Visited only with another study or an object store: test_reuse, test_run_collection, test_local_copies.
OF_OTHERS = ("reuse", "objects", "data")
OF_A_STUDY = [
    name for name in POINTS if name not in (*OF_A_REAL_RUN, *OF_MLFLOW) and name.split(":")[0] not in OF_OTHERS
]
RETRIED = "dispatcher: attempt counted"  # visited only by a resumed driver
LIMIT = "limits: cut short"
UNREPORTED = "results: written, no report"
LAST_HIT = {LIMIT: 1, UNREPORTED: 1, "ledger: reading noted": 3}
BUDGET = {"device_hours": 0.2 / 3600, "reserve_for_confirmation": 0.25}


def in_child(work: Callable[[], object], fault: str | None) -> int:
    """Runs ``work`` in a forked child with a fault armed; returns its exit code, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            arm(fault)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def drive(folder: Path, conclude: Callable[[OpenStudy], object] = results.write_results) -> None:
    """Starts or resumes a study and runs it to its end.

    Draws figures only if ``conclude`` is ``results.write_all``, because threads of the renderer do not survive a fork.
    """
    with open_study(folder) as study:
        limits.reset(study.store)
        Executor(study).run()
        conclude(study)


def table(folder: Path) -> list[tuple]:
    """Returns the results of a study, without times."""
    found = result_files.read(folder / "results")
    columns = ["phase", "trial", "state", "params/temperature", "params/lambda_cls", "seed", "epochs"]
    rows = [
        (*row[columns], row.get("validation/top1_error"), row.get("test/top1_error"))
        for frame in (found.trials, found.confirmations)
        for _, row in frame.iterrows()
    ]
    return sorted(tuple(None if isinstance(x, float) and np.isnan(x) else x for x in row) for row in rows)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, toy) -> list[tuple]:
    folder = directory.create(config_of(toy), tmp_path_factory.mktemp("unbroken"))
    drive(folder)
    return table(folder)


def config_of(toy):
    return toy(training__epochs=3)


def test_each_point_is_in_the_code_once() -> None:
    root = Path(__file__).parents[2]
    code = [path.read_text() for name in ("study", "trainables", "analysis") for path in (root / name).rglob("*.py")]
    used = Counter(name for text in code for name in re.findall(r'\bfaultpoint\("(.+?)"\)', text))
    assert used == dict.fromkeys(POINTS, 1)


@pytest.mark.fault(1)
@pytest.mark.parametrize("name", OF_A_STUDY)
def test_a_driver_killed_at_a_point_goes_on_as_if_nothing_had_been(
    toy, tmp_path: Path, unbroken: list[tuple], name: str
) -> None:
    cut_short = {"search__budget": BUDGET} if name == LIMIT else {}
    folder = directory.create(toy(training__epochs=3, **cut_short), tmp_path)
    hit = LAST_HIT.get(name, 3)
    conclude = results.write_all if name == UNREPORTED else results.write_results
    if name == RETRIED:
        assert in_child(lambda: drive(folder), "dispatcher: handed out:4:kill") == -signal.SIGKILL
        hit = 1
    assert in_child(lambda: drive(folder, conclude), f"{name}:{hit}:kill") == -signal.SIGKILL
    before = finished_runs(folder)
    assert in_child(lambda: drive(folder), None) == 0
    verify_study(folder)
    after = finished_runs(folder)
    assert {path: after[path] for path in before} == before  # V2
    with open_study(folder) as study:
        assert verify(study).violations == []
    if name != LIMIT:  # repeated epochs count against the budget
        assert table(folder) == unbroken  # V10


@pytest.mark.fault(2)
@pytest.mark.parametrize("name", OF_A_STUDY[1:6:3])
def test_killed_again_and_again_while_it_resumes(toy, tmp_path: Path, unbroken: list[tuple], name: str) -> None:
    folder = directory.create(config_of(toy), tmp_path)
    for hit in (5, 1, 1, 2):
        assert in_child(lambda: drive(folder), f"{name}:{hit}:kill") == -signal.SIGKILL
    drive(folder)
    verify_study(folder)
    assert table(folder) == unbroken


def tell(folder: Path) -> None:
    with open_study(folder) as study:
        open_mirror(study).bring_up_to_date(live=False)


@pytest.mark.fault(1)
@pytest.mark.parametrize("hit", [1, 3])
@pytest.mark.parametrize("name", OF_MLFLOW)
def test_what_tells_mlflow_is_killed_at_a_point(new_study, local_tracking: str, name: str, hit: int) -> None:
    del local_tracking
    folder = new_study(search__trials=3).directory
    drive(folder)

    assert in_child(lambda: tell(folder), f"{name}:{hit}:kill") == -signal.SIGKILL
    tell(folder)
    verify_tracking(folder)


@pytest.mark.fault(2)
def test_what_tells_mlflow_is_killed_again_and_again_and_no_run_multiplies(new_study, local_tracking: str) -> None:
    del local_tracking
    folder = new_study(search__trials=3).directory
    drive(folder)

    for name, hit in zip((*OF_MLFLOW, OF_MLFLOW[0]), (3, 1, 1), strict=True):
        assert in_child(lambda: tell(folder), f"{name}:{hit}:kill") == -signal.SIGKILL
    tell(folder)
    verify_tracking(folder)


@pytest.mark.fault(1, 4)
@pytest.mark.parametrize("name", OF_A_REAL_RUN)
def test_a_worker_killed_at_a_point_ends_with_the_same_numbers(toy, tmp_path: Path, name: str) -> None:
    config = toy(training__epochs=3).search_config({"temperature": 4, "lambda_cls": 1}, 0)

    def train(folder: Path, attempt: int) -> Outcome:
        run = Run(config, folder, attempt=attempt)
        while not isinstance(reported := run.advance(), Outcome):
            pass
        return reported

    hit = 1 if "outcome" in name or name.startswith("run: finished") else 2
    assert in_child(lambda: train(tmp_path / "killed", 1), f"{name}:{hit}:kill") == -signal.SIGKILL
    outcome = RunDirectory(tmp_path / "killed").outcome() or train(tmp_path / "killed", 2)
    assert outcome.metrics == train(tmp_path / "whole", 1).metrics
    rows = RunDirectory(tmp_path / "killed").epochs()
    assert [row.epoch for row in rows] == [1, 2, 3]
    assert RunDirectory(tmp_path / "killed").epochs_trained() <= 4  # V3


def test_a_fault_can_be_raised_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such point or action"):
        arm("nowhere:1:kill")
    arm(f"{POINTS[0]}:1:raise")
    try:
        with pytest.raises(OSError, match="injected fault"):
            RunDirectory(tmp_path).write_outcome(Outcome("finished", 1, 1))
    finally:
        arm(None)
