"""Tests of the tracker with faults of a real MLflow server: no value is lost or stored twice, and no trial fails."""

import random
import resource
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study import api
from study.tracking import tracking_thread
from study.tracking.mlflow_client import TrackingService
from study.tracking.tracking_thread import Tracker
from tests.kit.fakes.executor import DriverKilledError, Executor
from tests.kit.faults.oracle import verify_study, verify_tracking
from tests.kit.patience import patience
from tests.kit.servers.mlflow_server import Proxy, Server, free_port

SIZE = {"tracking__enabled": True, "search__trials": 4, "confirm__seeds": [1]}
TRIALS = 4 + 1 + 2


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the pauses, so that faults occur often, and the request timeout to one second."""
    monkeypatch.setattr(tracking_thread, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(tracking_thread, "LONGEST_PAUSE_SECONDS", 0.5)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that a test may kill."""
    server = Server(tmp_path_factory.mktemp("own_server"))
    yield server
    server.kill()


@pytest.fixture
def followed(new_study, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Function that runs a toy study with a tracker and returns the study and the lines for the user."""

    def run(uri: str, *, meanwhile: Callable[[int], None] = lambda _: None, patience: float = 20):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        study, messages, epochs = new_study(**SIZE), [], 0

        def at_each_epoch(*_: object) -> None:
            nonlocal epochs
            epochs += 1
            meanwhile(epochs)
            time.sleep(0.01)

        with Tracker(study.directory, messages.append) as following:
            following.start()
            Executor(study, at_each_epoch).run()
            following.catch_up(patience)
            following.end(patience)
        verify_study(study.directory)
        return study, messages

    return run


def store_of(server: Server) -> str:
    """URI of the server's database, to read it without the server."""
    return f"sqlite:///{server.database}"


def sync_mlflow(study) -> None:
    """Updates MLflow as ``cskd sync`` does."""
    mirror = tracking_thread.open_mirror(study)
    mirror.verify(live=False)
    mirror.bring_up_to_date(live=False)


def test_without_faults_the_user_gets_no_message(followed, local_tracking: str) -> None:
    study, messages = followed(local_tracking)
    assert messages == []
    assert verify_tracking(study.directory)["FINISHED"] == TRIALS


def test_the_files_of_the_study_are_uploaded_at_its_end(followed, local_tracking: str) -> None:
    from mlflow import MlflowClient

    followed(local_tracking)
    client = MlflowClient(local_tracking)
    experiment = client.get_experiment_by_name("toy")
    (parent,) = client.search_runs([experiment.experiment_id], "tags.`cskd.run` = 'study'")
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} >= {"study.yaml", "best_config.yaml"}
    assert parent.info.status == "FINISHED"


def test_a_driver_that_ends_with_an_error_leaves_no_running_run(new_study, local_tracking: str) -> None:
    study = new_study(**SIZE)

    def die(assignment, epoch: int) -> str | None:
        return "driver" if (assignment.phase, assignment.number, epoch) == ("search", 3, 2) else None

    def drive() -> None:
        with Tracker(study.directory, print) as following:
            following.start()
            Executor(study, die).run()

    with pytest.raises(DriverKilledError):
        drive()
    counts = verify_tracking(study.directory)
    assert "RUNNING" not in counts
    assert counts["KILLED"] >= 1


def test_without_tracking_no_database_is_created(new_study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    study = new_study()
    with Tracker(study.directory, print, enabled=False) as following:
        following.start()
        Executor(study).run()
        assert not following.catch_up(5)
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.fault(10)
def test_mlflow_is_down_from_the_start(followed, own_server: Server) -> None:
    study, messages = followed(own_server.uri, patience=2)
    assert messages == [
        f"MLflow at {own_server.uri}: Connection refused; the study continues and updates MLflow later",
        f"MLflow is not up to date; `cskd sync {study.directory}` sends the rest",
    ]
    own_server.start()
    written, runs = api.sync(study.directory)
    assert runs == "rebuilt"
    assert verify_tracking(study.directory, store_of(own_server))["FINISHED"] == TRIALS
    assert written.trials["mlflow_run_id"].notna().all()


@pytest.mark.fault(11)
@pytest.mark.slow
def test_mlflow_is_killed_and_comes_back(followed, own_server: Server) -> None:
    """Uses the fake executor; test_resume.py has the test with the real driver."""
    own_server.start()
    back: list[threading.Timer] = []

    def kill(epoch: int) -> None:
        if epoch == 8:
            own_server.kill()
            back.append(threading.Timer(1.0, own_server.start))
            back[0].start()

    study, messages = followed(own_server.uri, meanwhile=kill, patience=60)
    back[0].join()
    if messages[-1].startswith("MLflow is not up to date"):  # the study ended before the server answered
        sync_mlflow(study)
    assert messages[0].startswith(f"MLflow at {own_server.uri}: ")
    assert len(messages) == 2
    assert verify_tracking(study.directory, store_of(own_server))["FINISHED"] == TRIALS


@pytest.mark.fault(12)
@pytest.mark.parametrize(
    "faults",
    [
        ["503", "503", "503"],
        [*["ok"] * 6, "503", "503", "503"],
        ["hang"],
        [*["ok"] * 5, "hang"],
        *([*["ok"] * position, "reset"] for position in (0, 1, 2, 3)),
    ],
    ids=lambda faults: f"{faults.count('ok')}-{faults[-1]}-{len(faults) - faults.count('ok')}",
)
def test_values_are_stored_once_if_requests_fail_hang_or_lose_their_response(
    followed, mlflow_server: Server, proxy: Proxy, faults: list[str]
) -> None:
    proxy.hang_seconds = 2.0
    proxy.faults.extend(faults)
    study, messages = followed(proxy.uri)
    assert not proxy.faults
    assert len(messages) == 2
    assert messages[1] == "MLflow answers again and is up to date"
    time.sleep(1.2 if "hang" in faults else 0)  # the server carries out the hanging request after the client's timeout
    if "hang" in faults:
        sync_mlflow(study)
    assert verify_tracking(study.directory, store_of(mlflow_server))["FINISHED"] == TRIALS


@pytest.mark.fault(12)
@pytest.mark.parametrize("seed", [0, 1])
def test_values_are_stored_once_with_random_faults(followed, mlflow_server: Server, proxy: Proxy, seed: int) -> None:
    proxy.faults.extend(random.Random(seed).choices(["ok", "503", "reset"], weights=[6, 1, 1], k=60))
    study, _ = followed(proxy.uri)
    proxy.faults.clear()
    sync_mlflow(study)
    assert verify_tracking(study.directory, store_of(mlflow_server))["FINISHED"] == TRIALS


@pytest.mark.fault(13)
def test_the_database_is_locked_for_three_seconds(followed, local_tracking: str, tmp_path: Path) -> None:
    locks: list[sqlite3.Connection] = []

    def lock(epoch: int) -> None:
        if epoch == 10:
            locks.append(sqlite3.connect(tmp_path / "mlflow.db", check_same_thread=False))
            locks[0].execute("BEGIN EXCLUSIVE")
            threading.Timer(3.0, locks[0].close).start()

    study, _ = followed(local_tracking, meanwhile=lock)
    assert verify_tracking(study.directory)["FINISHED"] == TRIALS


@pytest.mark.fault(13)
@pytest.mark.slow
def test_the_disk_of_mlflow_is_full(followed, own_server: Server) -> None:
    """The server's file size limit stops all writes for some epochs."""
    own_server.start()
    server = own_server.processes()

    def limit(size: int) -> None:
        for process in server:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def fill(epoch: int) -> None:
        if epoch == 6:
            limit(4096)
        if epoch == 20:
            limit(resource.RLIM_INFINITY)

    study, messages = followed(own_server.uri, meanwhile=fill)
    assert len(messages) == 2, messages
    assert verify_tracking(study.directory, store_of(own_server))["FINISHED"] == TRIALS


def test_catch_up_gives_up_if_mlflow_does_not_answer(new_study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    study = new_study(**SIZE)
    Executor(study).run()
    with Tracker(study.directory, print) as following:
        following.start()
        start = time.monotonic()
        assert not following.catch_up(60)
        assert not following.catch_up(60, limit=0.1)
        assert time.monotonic() - start < patience(30)  # ends after a few failed attempts, before the patience does


def test_catch_up_keeps_its_limit_while_mlflow_answers(
    new_study, local_tracking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that was asked to stop does not wait for a long list of runs."""
    study = new_study(**SIZE)
    Executor(study).run()
    original = TrackingService.write
    monkeypatch.setattr(TrackingService, "write", lambda *arguments: (time.sleep(0.3), original(*arguments)))
    with Tracker(study.directory, print) as following:
        following.start()
        start = time.monotonic()
        assert not following.catch_up(60, limit=1.0)
        assert time.monotonic() - start < patience(5)
        assert following.catch_up(60)  # succeeds without a limit
