"""Resume through Ray Tune, with a real driver and real kills; only training is simulated by the toy."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from analysis.records import result_files
from study.state.directory import open_study
from tests.kit.fakes.toy import write_study
from tests.kit.faults.drivers import REAL, TRACKED, kill, kill_repeatedly, launch, left_behind, read_log, start
from tests.kit.faults.oracle import verify_study, verify_tracking
from tests.kit.patience import patience
from tests.kit.servers.mlflow_server import Server
from trainables.runs.run_directory import RunDirectory


@pytest.mark.fault(4, 22, 23, 25)
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_faults_of_workers(tmp_path: Path, record_property: Callable) -> None:
    """A dead or hanging worker is retried from its checkpoint; NaN and exceptions of the trial fail it."""
    faults = {"search/1": {"die": 3}, "search/3": {"nan": 2}, "search/4": {"raise": 1}, "controls/0": {"die": 1}}
    faults |= {"search/5": {"hang": 2}, "search/6": {"oom": 2}}
    process = launch(tmp_path, "--set", "resources.epoch_hours=0.002", faults=faults)
    assert process.wait(patience(200)) == 0, read_log(tmp_path)
    verify_study(tmp_path / "toy")
    assert verify_tracking(tmp_path / "toy")["FAILED"] == 2
    with open_study(tmp_path / "toy") as study:
        trials = study.store.trials("search")
        states = ["COMPLETE", "COMPLETE", "FAIL", "FAIL", "COMPLETE", "COMPLETE"]
        assert [trials[n].state.name for n in (0, 1, 3, 4, 5, 6)] == states
        assert [trials[n].user_attrs["attempt"] for n in (0, 1, 3, 4, 5, 6)] == [1, 2, 1, 1, 2, 2]
        assert trials[3].user_attrs["error"] == "train/loss is NaN"
        assert trials[4].user_attrs["error"] == "RuntimeError: the toy was told to raise"
        assert study.store.trials("controls")[0].user_attrs["attempt"] == 2
    rows = RunDirectory(tmp_path / "toy/trials/1").epochs()
    assert [row.attempt for row in rows] == [1, 1, 2, 2]  # killed in epoch 3, resumed after the second
    record_property("result", f"an epoch more {rows[2].time - rows[1].time:.1f} s after the worker's last")
    hung = tmp_path / "toy/trials/5"
    report = RunDirectory(hung).hang_report(1)
    assert "_misbehave" in report.read_text()  # the stack trace of the hanging thread
    assert f"no epoch finished within 0.002 h, so the process was ended; {report} holds" in read_log(tmp_path)
    assert not psutil.pid_exists(int((hung / "child.pid").read_text()))


@pytest.mark.fault(1)
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_scheduler_prunes_search_trials_only_and_decides_on_after_a_kill(tmp_path: Path) -> None:
    options = (
        *("search.scheduler.name=asha", "search.scheduler.min_trials=3", "search.sampler.name=tpe"),
        *("training.epochs=8", "search.space.temperature={low: 0.5, high: 16, log: true}", "search.trials=12"),
    )
    process = launch(tmp_path, *(word for option in options for word in ("--set", option)), seconds=0.1)
    while "PRUNED" not in read_log(tmp_path):
        assert process.poll() is None, read_log(tmp_path)
        time.sleep(0.1)
    kill(process, signal.SIGKILL)
    assert process.wait(patience(60)) == -signal.SIGKILL
    process = start(tmp_path, "resume", str(tmp_path / "toy"))
    assert process.wait(patience(200)) == 0, read_log(tmp_path)
    verify_study(tmp_path / "toy")
    in_mlflow = verify_tracking(tmp_path / "toy")
    shown = result_files.read(tmp_path / "toy" / "results").trials.set_index(["phase", "trial"])
    with open_study(tmp_path / "toy") as study:
        rungs = study.config.search.scheduler.rungs(study.config.training)
        trials = study.store.trials("search")
        pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
        assert len(pruned) >= 2
        assert in_mlflow["KILLED"] == len(pruned)
        for trial in pruned:
            rows = RunDirectory(tmp_path / f"toy/trials/{trial.number}").epochs()
            assert trial.last_step == len(rows)
            assert trial.last_step in rungs
            assert trial.value == trial.intermediate_values[len(rows)] == rows[-1].metrics["validation/top1_error"]
            assert shown.loc[("search", trial.number), "state"] == "PRUNED"
            assert shown.loc[("search", trial.number), "validation/top1_error"] == trial.value
        for rung in rungs:  # a rung keeps the values of all trials, also those reported to an earlier driver
            seen = [trial.number for trial in trials if rung in trial.intermediate_values]
            assert len(seen) == len(trials)
        others = [*study.store.trials("controls"), *study.store.trials("confirm")]
        assert {trial.state.name for trial in others} == {"COMPLETE"}


@pytest.mark.fault(1)
@pytest.mark.long
@pytest.mark.timeout(300)
def test_driver_is_killed_and_resumes(tmp_path: Path) -> None:
    first = ("launch", str(write_study(tmp_path)), "--storage", str(tmp_path), *TRACKED)
    counts = kill_repeatedly(tmp_path, tmp_path / "toy", first, 3, signal.SIGKILL, seconds=0.4)
    assert counts["duplicates"] == 0
    assert counts["trials"] == 8 + 1 + 4


@pytest.mark.fault(3, 25)
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("number", "whom"),
    [
        (signal.SIGINT, "group"),
        (signal.SIGTERM, "driver"),
        pytest.param(signal.SIGTERM, "all", marks=pytest.mark.long),
    ],
)
def test_a_driver_that_is_told_to_stop_says_how_to_resume(tmp_path: Path, number: signal.Signals, whom: str) -> None:
    """Fault 3."""
    process = launch(tmp_path, seconds=0.5, faults={"search/1": {"hang": 2}})  # ignores the request to stop
    while "search/0: COMPLETE" not in read_log(tmp_path):
        assert process.poll() is None, read_log(tmp_path)
        time.sleep(0.2)
    asked = time.monotonic()
    family = psutil.Process(process.pid).children(recursive=True)
    if whom == "group":
        os.killpg(process.pid, number)  # a terminal also signals the workers
    else:
        process.send_signal(number)
    for each in family if whom == "all" else []:  # `systemctl stop` and Slurm also signal Ray
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(number)
    assert process.wait(patience(30)) == 128 + number
    assert time.monotonic() - asked < patience(15)  # ten on an idle machine
    assert f"resume with: cskd resume {tmp_path / 'toy'}" in read_log(tmp_path)
    assert left_behind(family) == []
    assert verify_tracking(tmp_path / "toy")["KILLED"] >= 1  # tagged as interrupted; none is RUNNING
    with open_study(tmp_path / "toy") as study:
        assert study.store.running("search")  # still open for `resume`, not failed
    if whom == "group":
        return  # the resume after any stop is the same; once is enough
    process = start(tmp_path, "resume", str(tmp_path / "toy"))
    assert process.wait(patience(200)) == 0, read_log(tmp_path)
    assert verify_study(tmp_path / "toy")["retrained_epochs"] <= 2
    assert verify_tracking(tmp_path / "toy")["FINISHED"] == 8 + 1 + 4


@pytest.mark.fault(11)
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_mlflow_is_killed_in_mid_study_and_back_after_five_seconds(tmp_path: Path, record_property: Callable) -> None:
    """Fault 11."""
    server = Server(tmp_path).start()
    process = launch(tmp_path, seconds=0.3, uri=server.uri)
    while "search/1: COMPLETE" not in read_log(tmp_path):
        assert process.poll() is None, read_log(tmp_path)
        time.sleep(0.1)
    server.kill()
    time.sleep(5)
    server.start()
    back = time.monotonic()
    while "MLflow answers again" not in read_log(tmp_path):
        assert process.poll() is None, read_log(tmp_path)
        time.sleep(0.1)
    record_property("result", f"up to date {time.monotonic() - back:.1f} s after it is back")
    assert process.wait(patience(200)) == 0, read_log(tmp_path)
    server.kill()
    assert "the study continues and updates MLflow later" in read_log(tmp_path)
    assert "MLflow answers again" in read_log(tmp_path)
    verify_study(tmp_path / "toy")
    counts = verify_tracking(tmp_path / "toy", f"sqlite:///{server.database}")
    assert counts["FINISHED"] == 8 + 1 + 4


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
def test_twenty_kills_of_real_training(tmp_path: Path, number: signal.Signals) -> None:
    """Runs the digits study with a checkpoint at each epoch, so that every repeated epoch is detected."""
    options = ("--set", "training.checkpoint_seconds=0")
    first = ("launch", "digits", "--storage", str(tmp_path), *options)
    counts = kill_repeatedly(tmp_path, tmp_path / "digits", first, 20, number, program=REAL)
    print(number.name, counts)
    assert counts["trials"] == 16 + 1 + 10
    assert counts["duplicates"] == 0
