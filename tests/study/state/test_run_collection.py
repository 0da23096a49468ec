"""Tests studies whose workers share no folder with the driver: runs are collected from an object store."""

import os
import signal
from pathlib import Path

import pytest

from analysis.records import predictions
from study import api
from study.cluster import examination
from study.errors import ServiceError, StudyFileError
from study.outcome import cleaning
from study.outcome.verification import verify
from study.state import directory as study_directory
from study.state import ledger, provenance, run_collection
from study.views import status
from tests.kit.fakes.executor import DriverKilledError, Executor
from tests.kit.faults.oracle import verify_study
from trainables.files import object_store, scratch
from trainables.files.faultpoints import POINTS, arm
from trainables.files.object_store import ObjectStore
from trainables.runs.run_directory import RunDirectory

SMALL = {"search__trials": 2, "controls": [], "confirm__seeds": [1], "training__epochs": 3}
OF_THE_STORE = [name for name in POINTS if name.startswith("objects")]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(scratch.VARIABLE, str(tmp_path / "scratch"))
    scratch._process_folder.cache_clear()
    return (tmp_path / "bucket").as_uri()


@pytest.fixture
def small(new_study, place: str):
    """A toy study with an object store."""
    return lambda: new_study(**SMALL, artifacts=place)


def same_as_without(study, new_study) -> bool:
    """Returns whether a study has the values that it has in a shared folder."""
    other = new_study(name="shared", **SMALL)
    Executor(other).run()
    found = [[trial.values for trial in each.store.trials("search")] for each in (study, other)]
    return found[0] == found[1]


def test_a_study_with_an_object_store_has_the_results_of_one_with_a_shared_folder(small, new_study, place: str) -> None:
    study = small()
    Executor(study).run()
    verify_study(study.directory)
    found = verify(study)
    assert found.violations == []
    assert found.checked["runs in the object store"] == 3
    assert same_as_without(study, new_study)
    assert len(ledger.readings(study.directory)) == 1
    confirmed = RunDirectory(study.directory / "confirm" / "0")
    assert len(predictions.read(confirmed.predictions).labels) == 4
    assert [path.name for path in confirmed.checkpoints.glob("*.pt")] == ["epoch_000003.pt"]  # kept for cskd evaluate
    assert status.describe(study)["artifacts"] == place
    left = [path for path in Path(os.environ[scratch.VARIABLE]).rglob("*") if path.is_file()]
    assert [path.name for path in left] == [scratch.OWNER]


def test_runs_of_lost_workers_are_resumed_by_others(small) -> None:
    study, faults = small(), {("search", 0): 2, ("confirm", 0): 3, ("search", 1): 1}

    def fault(assignment, epoch):
        return (
            "lost" if assignment.attempt == 1 and faults.get((assignment.phase, assignment.number)) == epoch else None
        )

    Executor(study, fault).run()
    counts = verify_study(study.directory)
    assert counts["attempts"] == counts["trials"] + 3
    assert verify(study).violations == []


@pytest.mark.parametrize("step", [4])
def test_the_study_directory_catches_up_after_the_driver_was_killed(small, step: int) -> None:
    study, steps = small(), iter(range(1000))
    with pytest.raises(DriverKilledError):
        Executor(study, lambda *_: "driver" if next(steps) == step else None).run()
    Executor(study).run()
    verify_study(study.directory)
    assert verify(study).violations == []


@pytest.mark.parametrize("point", OF_THE_STORE)
def test_a_driver_killed_at_any_fault_point_can_resume(small, point: str) -> None:
    directory = small().directory
    child = os.fork()
    if child == 0:
        arm(f"{point}:2:kill")
        with study_directory.open_study(directory) as study:
            Executor(study).run()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    with study_directory.open_study(directory) as study:
        Executor(study).run()
        verify_study(directory)
        assert verify(study).violations == []


def test_lines_that_the_driver_did_not_fetch_are_reported_and_synced(small, place: str) -> None:
    study = small()
    Executor(study).run()
    lost = study.directory / "trials" / "1" / "metrics.jsonl"
    whole = lost.read_bytes()
    lost.write_bytes(whole[:-30])
    assert "lines are only in the object store; `cskd sync` fetches them" in {
        v.found[2:] for v in verify(study).violations
    }
    api._collect_remote_files(study)
    assert lost.read_bytes() == whole
    assert verify(study).violations == []


def test_a_damaged_checkpoint_is_reported_and_skipped(small) -> None:
    study, steps = small(), iter(range(1000))
    with pytest.raises(DriverKilledError):
        Executor(study, lambda *_: "driver" if next(steps) == 4 else None, slots=1).run()
    place = ObjectStore(run_collection.study_uri(study.config.artifacts, "toy", study.store))
    place.write("search/1/0001/epoch_000001.pt", b"other")
    checkpoint = "the checkpoint of attempt 1, epoch 1"
    assert f"{checkpoint} does not match its checksum in the object store" in [
        v.found for v in verify(study).violations
    ]
    warned = Executor(study).run().watcher.of("warned")
    assert warned == [
        ("search", 1, 2, f"{checkpoint} is damaged; the run resumes from the last intact state before it")
    ]
    verify_study(study.directory)


def test_clean_removes_checkpoints_from_the_object_store(small, place: str) -> None:
    study = small()
    Executor(study).run()
    before = {name for name in ObjectStore(place).names() if ".pt" in name}
    assert before
    found = cleaning.clean(study.directory)
    assert found.files >= len(before)
    assert not any(".pt" in name for name in ObjectStore(place).names())
    assert cleaning.clean(study.directory).files == 0


def test_an_unreachable_store_ends_the_study_and_a_resume_completes(small, monkeypatch: pytest.MonkeyPatch) -> None:
    study, steps, away = small(), iter(range(1000)), False
    open_filesystem = object_store.open_filesystem

    def fault(*_):
        nonlocal away
        away = next(steps) == 4
        return "lost" if away else None

    def failing(uri: str):
        if away:
            raise OSError("no network")
        return open_filesystem(uri)

    monkeypatch.setattr(object_store, "open_filesystem", failing)
    monkeypatch.setattr(object_store.ObjectStore.__init__, "__defaults__", (0.0, lambda: True, "artifacts"))
    with pytest.raises(ServiceError, match=r"^artifacts at file://.*: no network; resume when it is back"):
        Executor(study, fault).run()
    with pytest.raises(ServiceError, match="cskd doctor"):
        run_collection.require(study.config.artifacts)
    assert "artifacts at file://" in str(verify(study).skipped)
    away = False
    run_collection.require(study.config.artifacts)
    Executor(study).run()
    verify_study(study.directory)


def test_studies_of_the_same_name_have_separate_folders(small, toy, place: str, tmp_path: Path) -> None:
    one = run_collection.study_uri(small().config.artifacts, "toy", small().store)
    directory = study_directory.create(toy(artifacts=place), tmp_path / "elsewhere")
    with study_directory.open_study(directory) as other:
        assert run_collection.study_uri(other.config.artifacts, "toy", other.store) != one


def test_a_node_checks_its_access_to_the_store(place: str, tmp_path: Path) -> None:
    report = examination.inspect_node(None, place)
    assert report.error is None
    examination.refuse_unfit("10.0.0.2", report, None)
    assert ObjectStore(place).names() == {}
    (tmp_path / "file").write_text("")
    report = examination.inspect_node(None, (tmp_path / "file").as_uri())
    with pytest.raises(
        ServiceError, match=r"^node 10\.0\.0\.2: artifacts at file://.*: cannot be written: .*; every node needs"
    ):
        examination.refuse_unfit("10.0.0.2", report, None)
    assert report.code == provenance.code_digest()


def test_a_plain_uri_is_accepted_and_one_with_a_key_is_refused(toy) -> None:
    assert toy(artifacts="s3://bucket/x").artifacts == toy(artifacts={"uri": "s3://bucket/x"}).artifacts
    assert toy().artifacts is None
    with pytest.raises(StudyFileError, match=r"^toy: artifacts\.uri: .*holds a key; leave it out") as caught:
        toy(artifacts="s3://AKIA:canary@bucket")
    assert "canary" not in str(caught.value)
