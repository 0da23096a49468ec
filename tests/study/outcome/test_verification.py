"""``cskd verify`` on valid studies, and on studies with one defect."""

import json
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from study.outcome import verification
from study.outcome.result_files import write_results
from study.outcome.verification import verify
from study.state.directory import open_study
from study.state.lease import lease
from study.tracking import tracking_thread
from tests.kit.fakes.executor import DriverKilledError, Executor
from trainables.files.sealed_json import seal, unseal


def broken(directory: Path, *, tracked: bool = False) -> list[str]:
    """Returns the violated rules with their subjects."""
    with open_study(directory) as study:
        found = verify(study, (lambda: tracking_thread.connect(study)) if tracked else None)
    assert not found.skipped
    return [f"{violation.rule} {violation.subject}" for violation in found.violations]


@pytest.fixture
def copy(done_directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done_directory, tmp_path / "toy"))


def test_a_valid_study_has_no_violations(done_directory: Path) -> None:
    with open_study(done_directory) as study:
        found = verify(study)
    assert (found.violations, found.skipped) == ([], [])
    assert found.checked == {"trials": 13, "epochs": 52, "files": 60, "readings": 4}


def test_a_study_with_a_killed_driver_has_no_violations(new_study) -> None:
    study = new_study()

    def fault(assignment, epoch):
        return "driver" if (assignment.phase, assignment.number, epoch) == ("search", 3, 3) else None

    with pytest.raises(DriverKilledError):
        Executor(study, fault).run()
    write_results(study)
    assert verify(study).violations == []


def test_a_missing_epoch_is_found(copy: Path) -> None:
    path = copy / "trials/3/metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if json.loads(line).get("epoch") != 2))
    assert broken(copy) == ["epochs search/3", "results search/3"]


def test_a_value_that_differs_from_the_last_epoch_is_found(copy: Path) -> None:
    with sqlite3.connect(copy / "optuna.db") as database:
        database.execute("update trial_values set value = value / 2 where trial_value_id = 4")
    database.close()
    assert len(broken(copy)) == 2
    assert {text.split()[0] for text in broken(copy)} == {"values", "results"}


def test_a_wrong_state_is_found(copy: Path) -> None:
    with sqlite3.connect(copy / "optuna.db") as database:
        database.execute("update trials set state = 'FAIL' where trial_id = 5")
    database.close()
    assert {text.split()[0] for text in broken(copy)} == {"states", "results"}


@pytest.mark.fault(19)
def test_a_flipped_bit_in_a_checkpoint_is_found(copy: Path) -> None:
    path = next((copy / "confirm/0/checkpoints").glob("*.pt"))
    content = bytearray(path.read_bytes())
    content[1] ^= 1
    path.write_bytes(content)
    assert broken(copy) == [f"checksums confirm/0: {path.name}"]


LINES = ["trials/3/metrics.jsonl", "trials/3/outcome.json", "test_ledger.jsonl"]


@pytest.mark.fault(19)
@pytest.mark.parametrize("name", LINES)
def test_any_flipped_bit_in_a_line_is_found(copy: Path, name: str) -> None:
    path, generator = copy / name, random.Random(name)
    content = path.read_bytes()
    for _ in range(3):
        place = generator.randrange(8 * len(content))
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        assert broken(copy) or harmless(content, bytes(flipped)), place


def harmless(content: bytes, flipped: bytes) -> bool:
    """Whether the lines decode to the same content: the last two characters of a line carry none."""
    return [unseal(line) for line in content.splitlines()] == [unseal(line) for line in flipped.splitlines()]


@pytest.mark.fault(18)
@pytest.mark.parametrize("name", ["results/trials.parquet", "results/study.json"])
def test_a_damaged_or_missing_result_file_is_found(copy: Path, name: str) -> None:
    path = copy / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert broken(copy) == ["results results"]
    path.unlink()
    assert broken(copy) == ["results results"]


def test_outdated_results_are_found(copy: Path) -> None:
    with open_study(copy) as study:
        trial = study.store.begin("controls", {}, {}, {})
        study.store.tell(trial, TrialState.FAIL, None, 0, "made by hand")
    assert broken(copy) == ["results controls/1"]


def test_missing_and_unexplained_ledger_lines_are_found(copy: Path) -> None:
    path = copy / "test_ledger.jsonl"
    first, *others = path.read_bytes().splitlines()
    unexplained = unseal(first) | {"arm": "search/0", "seed": 99}
    path.write_bytes(b"\n".join([*others, seal(unexplained)]) + b"\n")
    number = unexplained["trial"]
    assert broken(copy) == [f"ledger confirm/{number}"]  # both violations have the same subject


def test_a_secret_in_a_file_is_found(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "canary-7421")
    monkeypatch.setenv("CSKD_DATABASE_URL", "postgresql://me:canary-9137@host/db")
    assert broken(copy) == []
    (copy / "trials/1/note.txt").write_text("... canary-9137 ...")
    assert broken(copy) == ["secrets trials/1/note.txt"]
    monkeypatch.setattr(verification, "LARGEST_SEARCHED_BYTES", 10)
    with open_study(copy) as study:
        assert "trials/1/note.txt is too large to search for secrets" in verify(study).skipped


def test_files_that_a_driver_is_writing_are_skipped(new_study) -> None:
    study = new_study()

    def fault(assignment, epoch):
        return "driver" if (assignment.phase, assignment.number, epoch) == ("search", 3, 3) else None

    with pytest.raises(DriverKilledError):
        Executor(study, fault, slots=1).run()
    half = next((study.directory / "trials/3/checkpoints").glob("*.pt"))
    half.write_bytes(b"half of a checkpoint")
    assert [violation.rule for violation in verify(study).violations] == ["checksums", "results"]
    with lease(study.directory):
        found = verify(study)
    assert (found.violations, found.skipped) == ([], ["files that a driver is still writing"])


@pytest.mark.slow
def test_mlflow_is_compared(new_study, local_tracking: str) -> None:
    study = new_study(tracking__enabled=True, search__trials=3)
    Executor(study).run()
    tracking_thread.open_mirror(study).bring_up_to_date(live=False)
    write_results(study)
    assert broken(study.directory, tracked=True) == []
    client = MlflowClient(local_tracking)
    experiment = client.get_experiment_by_name("toy").experiment_id
    runs = {run.data.tags["cskd.run"]: run.info.run_id for run in client.search_runs([experiment])}
    client.delete_run(runs["search/0"])
    client.log_metric(runs["search/1"], "train/loss", 9.0, step=2)
    client.set_terminated(runs["search/2"], "FAILED")
    assert broken(study.directory, tracked=True) == [f"MLflow search/{number}" for number in (0, 1, 2)]


def test_an_unreachable_mlflow_is_reported(done_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with open_study(done_directory) as study:
        study.identity  # noqa: B018 - creates it
        found = verify(study, lambda: tracking_thread.connect(study))
    assert found.violations == []
    assert found.skipped[0].startswith("MLflow: MLflow at http://127.0.0.1:9: ")


def test_the_verify_command(cskd, copy: Path) -> None:
    code, out, _ = cskd("verify", copy)
    assert (code, out.splitlines()[-1]) == (0, "0 violations")
    (copy / "results/study.json").unlink()
    code, out, _ = cskd("verify", copy, "--json")
    assert code == 1
    assert [violation["rule"] for violation in json.loads(out)["violations"]] == ["results"]
