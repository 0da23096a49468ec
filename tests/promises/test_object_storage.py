"""Studies whose workers write to a real S3 server: kills, an outage, and machines without a shared folder."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.outcome.verification import verify
from study.state.directory import open_study
from tests.kit.faults.drivers import REAL, TRACKED, kill, left_behind, read_log, start, wait_for
from tests.kit.faults.oracle import finished_runs, verify_study, verify_tracking
from tests.kit.inputs.archive_maker import birds, tar_of
from tests.kit.patience import patience
from tests.kit.servers.machines import Machines
from tests.kit.servers.namespaces import possible
from tests.kit.servers.s3_server import KEYS, S3, command, place
from trainables.files import local_copies, scratch
from trainables.files.faultpoints import VARIABLE

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

TRIALS = 4
S3_PORT = 9000
BIRDS = """
name: birds
dataset:
  {name: cub200, crop: 32, stored_side: 40, expect: {classes: 4, train: 32, test: 16}, validation: {per_class: 2}}
model: {name: preact_resnet10, width: 8}
method: cs_kd
training: {epochs: 2, batch_size: 16, checkpoint_seconds: 0}
search: {trials: 6, sampler: {name: random}}
controls: [{method: cross_entropy}]
confirm: {finalists: 1, seeds: [1]}
tracking: {enabled: false}
"""
SMALL = ("--set", f"search.trials={TRIALS}", "--set", "training.epochs=8", "--set", "training.checkpoint_seconds=0")
FEW = ("--set", "confirm.finalists=1", "--set", "confirm.seeds=[1]", "--set", "controls=[{method: cross_entropy}]")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[S3]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(scratch.VARIABLE, str(tmp_path / "scratch"))
    made = S3()
    yield made
    made.stop()


def test_digits_killed_and_resumed_and_the_server_away(server: S3, tmp_path: Path, record_property: Callable) -> None:
    storage, study = tmp_path / "storage", tmp_path / "storage" / "digits"
    storage.mkdir()
    words = ("launch", "digits", "--storage", str(storage), "--set", f"artifacts={server.uri}")
    process = start(tmp_path, *words, *SMALL, *FEW, *TRACKED, program=REAL)
    wait_for(tmp_path, process, "search/0: COMPLETE")
    everybody = kill(process, signal.SIGKILL)
    assert process.wait(patience(60)) == -signal.SIGKILL
    finished = finished_runs(study)
    begun = time.monotonic()
    process = start(tmp_path, "resume", str(study), program=REAL)
    seen = read_log(tmp_path).count("COMPLETE")
    while read_log(tmp_path).count("COMPLETE") == seen:
        assert process.poll() is None, read_log(tmp_path)
        time.sleep(0.1)
    resumed = time.monotonic() - begun
    server.stop()
    time.sleep(8)
    server.start()
    assert process.wait(patience(600)) == 0, read_log(tmp_path)
    for path, content in finished.items():
        assert (path.parent / "metrics.jsonl").read_bytes() == content  # V2
    counts = verify_study(study)
    assert verify_tracking(study)["FINISHED"] == TRIALS + 1 + 2
    with open_study(study) as opened:
        found = verify(opened)
    assert found.violations == []  # includes a search for the canary secrets
    assert found.checked["runs in the object store"] == TRIALS + 3
    assert left_behind(everybody) == []  # V8
    record_property("result", f"first trial ended {resumed:.1f} s after the resume; {counts}")


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Machines]:
    if not possible():
        pytest.skip("this process may not make network namespaces (root and `ip` are needed)")
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-scratch")
    # Machines other than the head have an empty folder there, so that each makes its own copies.
    places = {scratch.VARIABLE: str(elsewhere), local_copies.VARIABLE: str(tmp_path / "copies")}
    made = Machines(tmp_path, shared=False, environment={**KEYS, **places})
    yield made
    made.network.close()


def test_machines_that_share_no_folder(apart: Machines, record_property: Callable) -> None:
    host = apart.network.addresses["head"]
    apart.start("head", *command(host, S3_PORT), log="s3.log")
    apart.join("one")
    process = apart.launch("--set", f"artifacts={place(f'http://{host}:{S3_PORT}')}")
    apart.wait_for(process, "controls/0: COMPLETE")
    apart.join("two")
    apart.network.kill("one")
    assert process.wait(patience(250)) == 0, apart.log()
    counts = verify_study(apart.folder / "toy")
    assert counts["retrained_epochs"] <= 1
    record_property("result", f"one machine lost with its disk; {counts}")


def values_of(directory: Path) -> list[tuple]:
    with open_study(directory) as study:
        phases = ("search", "controls", "confirm")
        return [(phase, trial.params, trial.values) for phase in phases for trial in study.store.trials(phase)]


def test_data_in_the_store_is_fetched_once_by_each_machine_or_streamed(
    apart: Machines, record_property: Callable
) -> None:
    host, folder = apart.network.addresses["head"], apart.folder
    server = f"http://{host}:{S3_PORT}"
    apart.start("head", *command(host, S3_PORT), log="s3.log")

    def cskd(*words: object, log: str, fault: str = "") -> int:
        program = ("env", f"{VARIABLE}={fault}") if fault else ()
        return apart.start("head", *program, sys.executable, *REAL, *words, log=log).wait(patience(250))

    (folder / "root").mkdir()
    archive = tar_of(folder / "CUB_200_2011.tgz", birds(classes=4, train=8, test=4), "w:gz")
    options = ("--root", folder / "root", "--expect", "classes=4,train=32,test=16", "--set", "stored_side=40")
    options += ("--set", "crop=32")
    assert cskd("data", "prepare", "cub200", "--archive", archive, *options, log="data.log") == 0
    assert cskd("data", "push", "cub200", "--to", place(server, "data"), *options, log="data.log") == 0
    (folder / "birds.yaml").write_text(BIRDS)
    launch = ("launch", folder / "birds.yaml", "--storage", folder, "--address", apart.address)
    launch += ("--set", f"dataset.root={place(server, 'data')}", "--set", f"artifacts={place(server)}")
    killed = cskd(*launch, log="driver.log", fault="data: piece fetched:1:kill")
    assert killed == -signal.SIGKILL
    assert not (folder / "birds").exists()
    apart.join("one")
    apart.join("two")
    assert cskd(*launch, log="driver.log") == 0, apart.log()
    counts = verify_study(folder / "birds")
    requests = (folder / "s3.log").read_text().splitlines()
    fetched = [line for line in requests if "GET" in line and "cub200-40-part-4-32-16.arrow HTTP" in line]
    assert len(fetched) == 1 + 2, fetched  # one by the killed driver on the head, one by each machine
    streamed = ("--set", "name=streamed", "--set", "search.reuse=false", "--set", "dataset.stream=always")
    assert cskd(*launch, *streamed, log="driver.log") == 0, apart.log()
    verify_study(folder / "streamed")
    assert values_of(folder / "streamed") == values_of(folder / "birds")
    record_property("result", f"one copy for each of three machines, the driver killed at its own; {counts}")
