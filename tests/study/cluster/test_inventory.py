"""Tests a driver on a real Ray cluster that loses nodes; the head has no CPU, and each other node has one."""

import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from study.state.directory import open_study
from study.views import status
from tests.kit.fakes.toy import write_study
from tests.kit.faults.drivers import TRACKED, read_log, start, wait_for
from tests.kit.faults.oracle import verify_study, verify_tracking
from tests.kit.paths import PYTHON_PATH
from tests.kit.patience import patience
from trainables.runs.run_directory import RunDirectory

ROOT = Path(__file__).parents[3]
TRIALS = 4
EPOCH_SECONDS = 1.2  # read by workers, which inherit the environment of their node
PREEMPTION = 2  # DRAIN_NODE_REASON_PREEMPTION in Ray's protocol
NODE_IS_LOST = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, "health_check_timeout_ms": 1000}

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(300),
    # Ray's Cluster does not wait for its processes.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def environment() -> Iterator[None]:
    """Lets workers import the toy study and makes Ray require a token; Ray reads the environment again."""
    from ray._private.authentication_test_utils import reset_auth_token_state

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PYTHON_PATH)
        patch.setenv("TOY_SECONDS", str(EPOCH_SECONDS))
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        reset_auth_token_state()
        yield
    reset_auth_token_state()


@pytest.fixture
def cluster(environment: None) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    settings = {"num_cpus": 0, "_system_config": {**NODE_IS_LOST, "health_check_failure_threshold": 4}}
    made = Cluster(initialize_head=True, head_node_args=settings)
    yield made
    made.shutdown()


def nodes_of(cluster: Any, count: int) -> list[Any]:
    nodes = [cluster.add_node(num_cpus=1, wait=False) for _ in range(count)]
    cluster.wait_for_nodes()
    return nodes


def launch(folder: Path, cluster: Any, *more: str) -> subprocess.Popen:
    options = (
        "--storage",
        str(folder),
        "--address",
        cluster.address,
        "--set",
        f"search.trials={TRIALS}",
        *TRACKED,
        *more,
    )
    return start(folder, "launch", str(write_study(folder)), *options)


def wait_for_two_runs(folder: Path, process: subprocess.Popen) -> None:
    """Waits until two runs are in the middle, one on each node."""
    while sum(map(is_in_the_middle, (folder / "toy").glob("*/*/metrics.jsonl"))) < 2:
        assert process.poll() is None, read_log(folder)
        time.sleep(0.05)


def is_in_the_middle(metrics: Path) -> bool:
    return 1 <= len(RunDirectory(metrics.parent).epochs()) <= 2  # of four epochs, so seconds are left


def family_of(node: Any) -> list[psutil.Process]:
    """Returns a node's raylet and its workers."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    return [raylet, *raylet.children(recursive=True)]


def epochs(folder: Path) -> int:
    return sum(path.read_bytes().count(b'"epoch":') for path in (folder / "toy").glob("*/*/metrics.jsonl"))


def until_next_epoch(folder: Path, process: subprocess.Popen, seconds: float) -> float:
    """Returns the seconds until the next epoch is on the disk."""
    before, begun = epochs(folder), time.monotonic()
    while epochs(folder) == before:
        assert process.poll() is None, read_log(folder)
        assert time.monotonic() - begun < patience(seconds), read_log(folder)
        time.sleep(0.05)
    return time.monotonic() - begun


def check(folder: Path) -> dict[str, int]:
    counts = verify_study(folder / "toy")
    assert verify_tracking(folder / "toy")["FINISHED"] == TRIALS + 1 + 4
    return counts


@pytest.mark.fault(5)
def test_one_of_two_nodes_is_killed(cluster: Any, tmp_path: Path, record_property: Callable) -> None:
    _, second = nodes_of(cluster, 2)
    process = launch(tmp_path, cluster)
    wait_for_two_runs(tmp_path, process)
    begun = time.monotonic()
    cluster.remove_node(second, allow_graceful=False)
    wait_for(tmp_path, process, "the worker process was lost")
    noticed = time.monotonic() - begun
    seconds = noticed + until_next_epoch(tmp_path, process, 30)
    assert process.wait(patience(200)) == 0, read_log(tmp_path)
    assert check(tmp_path)["retrained_epochs"] <= 1
    assert noticed < 30
    record_property("result", f"noticed after {noticed:.1f} s, the next epoch after {seconds:.1f} s")


@pytest.mark.fault(6)
def test_a_node_is_drained_and_then_killed(cluster: Any, tmp_path: Path, record_property: Callable) -> None:
    from ray._raylet import GcsClient

    _, second = nodes_of(cluster, 2)
    process = launch(tmp_path, cluster)
    wait_for_two_runs(tmp_path, process)
    (found,) = [
        node["NodeID"]
        for node in cluster.global_state.node_table()
        if node["ObjectStoreSocketName"] == second.plasma_store_socket_name
    ]
    begun, deadline = time.monotonic(), time.time_ns() // 10**6 + 20_000
    assert GcsClient(address=cluster.gcs_address).drain_node(found, PREEMPTION, "spot", deadline)[0]
    wait_for(tmp_path, process, "its node is being drained; the run resumes on another node")
    saved = time.monotonic() - begun
    cluster.remove_node(second, allow_graceful=False)
    assert process.wait(patience(250)) == 0, read_log(tmp_path)
    assert check(tmp_path)["retrained_epochs"] == 0
    with open_study(tmp_path / "toy") as study:
        trials = [trial for phase in ("controls", "search", "confirm") for trial in study.store.trials(phase)]
    assert max(trial.user_attrs["attempt"] for trial in trials) == 2
    assert not any("failures" in trial.user_attrs for trial in trials)
    record_property("result", f"saved and left {saved:.1f} s after the notice")


@pytest.mark.fault(7)
def test_all_nodes_are_gone_for_ten_seconds(cluster: Any, tmp_path: Path, record_property: Callable) -> None:
    nodes = nodes_of(cluster, 2)
    process = launch(tmp_path, cluster)
    wait_for_two_runs(tmp_path, process)
    for node in nodes:
        cluster.remove_node(node, allow_graceful=False)
    wait_for(tmp_path, process, "no node is left with 1 CPUs; waiting for one")
    time.sleep(10)
    assert process.poll() is None
    nodes_of(cluster, 1)
    seconds = until_next_epoch(tmp_path, process, 60)
    wait_for(tmp_path, process, "a node is available again; the study continues")
    assert process.wait(patience(250)) == 0, read_log(tmp_path)
    assert check(tmp_path)["retrained_epochs"] <= 2
    record_property("result", f"the next epoch {seconds:.1f} s after the new node")


@pytest.mark.fault(7)
def test_a_study_waits_for_its_first_node(cluster: Any, tmp_path: Path) -> None:
    process = launch(tmp_path, cluster)
    wait_for(tmp_path, process, "no node is up for a trial yet")
    assert "asked the cluster for 1 CPUs, waiting" in read_log(tmp_path)
    nodes_of(cluster, 1)
    wait_for(tmp_path, process, "1 trial at once on 1 CPUs")
    nodes_of(cluster, 1)
    wait_for_two_runs(tmp_path, process)  # the second node is also used
    assert process.wait(patience(200)) == 0, read_log(tmp_path)
    check(tmp_path)


@pytest.mark.fault(5)
def test_a_node_on_which_workers_die_is_excluded(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable
) -> None:
    nodes_of(cluster, 1)
    with monkeypatch.context() as patch:
        patch.setenv("TOY_BAD_NODE", "1")  # read by its workers, which inherit the environment of their node
        nodes_of(cluster, 1)
    # Long runs, because Ray stops starting a worker if another worker can take its run.
    options = ("--set", "training.epochs=20", "--set", "search.trials=2", "--until", "search")
    process = launch(tmp_path, cluster, *options)
    wait_for(
        tmp_path,
        process,
        "is excluded: 3 runs were lost there while other nodes worked; `cskd resume` includes it again",
    )
    assert process.wait(patience(200)) == 0, read_log(tmp_path)
    verify_study(tmp_path / "toy", done=False)  # no confirmation was requested
    log = read_log(tmp_path)
    assert log.partition("is excluded")[2].count("retrying:") == 1  # for the third loss itself
    (line,) = [line for line in log.splitlines() if line.startswith("runs on node")]
    assert line.endswith(": 3")
    with open_study(tmp_path / "toy") as study:
        (left_out,) = status.describe(study)["left_out"]
    assert left_out["reason"] == "3 runs were lost there while other nodes worked"
    record_property("result", f"excluded after {log.count('retrying:')} lost runs")


@pytest.mark.fault(9)
def test_a_node_is_stopped_and_continued(cluster: Any, tmp_path: Path) -> None:
    _, second = nodes_of(cluster, 2)
    process = launch(tmp_path, cluster)
    wait_for_two_runs(tmp_path, process)
    family = family_of(second)
    for each in family:
        each.send_signal(signal.SIGSTOP)
    wait_for(tmp_path, process, "the worker process was lost")
    time.sleep(1.5)  # the next attempt has begun
    for each in family:
        if each.is_running():
            each.send_signal(signal.SIGCONT)
    assert process.wait(patience(200)) == 0, read_log(tmp_path)
    check(tmp_path)


@pytest.mark.fault(8)
def test_the_head_is_killed(cluster: Any, tmp_path: Path, record_property: Callable) -> None:
    nodes_of(cluster, 2)
    process = launch(tmp_path, cluster)
    wait_for_two_runs(tmp_path, process)
    begun = time.monotonic()
    cluster.remove_node(cluster.head_node, allow_graceful=False)
    code = process.wait(patience(100))
    ended = time.monotonic() - begun
    assert code == 69, read_log(tmp_path)
    assert f"continue with `cskd resume {tmp_path / 'toy'}`" in read_log(tmp_path)
    again = time.monotonic()
    process = start(tmp_path, "resume", str(tmp_path / "toy"), "--address", "local")
    seconds = until_next_epoch(tmp_path, process, 60)
    assert time.monotonic() - again < patience(60)
    assert process.wait(patience(200)) == 0, read_log(tmp_path)
    assert check(tmp_path)["retrained_epochs"] <= 2
    record_property("result", f"ended after {ended:.1f} s with 69; resumed, the next epoch after {seconds:.1f} s")
