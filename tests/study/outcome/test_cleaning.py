"""Cleaning deletes checkpoints and keeps results."""

import contextlib
import json
from pathlib import Path

import pytest

from study.errors import HeldError, StudyDirectoryError
from study.outcome import cleaning
from study.state import lease
from tests.kit.fakes.executor import DriverKilledError, Executor
from tests.kit.faults.oracle import verify_study


def checkpoints(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob("*/*/checkpoints/*") if path.is_file())


def others(directory: Path) -> dict[Path, bytes]:
    """Returns all files except checkpoints and the lock files of a driver."""
    files = (path for path in directory.rglob("*") if path.is_file())
    excluded = ("checkpoints", ".driver.lock", ".driver.json")
    return {path: path.read_bytes() for path in files if path.parent.name not in excluded and path.name not in excluded}


@pytest.fixture
def interrupted(new_study) -> Path:
    """A study whose driver was killed while two trials were running."""
    study = new_study()
    seen = 0

    def fault(assignment, epoch):
        nonlocal seen
        seen += 1
        return "driver" if seen == 23 else None

    with contextlib.suppress(DriverKilledError):
        Executor(study, fault).run()
    return study.directory


def test_only_the_checkpoints_of_a_finished_study_are_deleted(new_study) -> None:
    study = new_study(search__trials=3)
    Executor(study).run()
    directory, before = study.directory, others(study.directory)
    files = checkpoints(directory)
    size = sum(path.stat().st_size for path in files)
    counted = cleaning.clean(directory, dry_run=True)
    assert checkpoints(directory) == files
    assert counted == cleaning.clean(directory) == cleaning.Cleaned(8, len(files), size, 0)
    assert checkpoints(directory) == []
    assert others(directory) == before
    verify_study(directory)
    assert cleaning.clean(directory) == cleaning.Cleaned(0, 0, 0, 0)


def test_checkpoints_of_unfinished_runs_are_kept_unless_all_are_requested(interrupted: Path, new_study) -> None:
    found = cleaning.clean(interrupted)
    assert (found.runs > 0, found.kept_runs) == (True, 2)
    assert len({path.parent for path in checkpoints(interrupted)}) == 2
    assert cleaning.clean(interrupted, unfinished=True).runs == 2
    assert checkpoints(interrupted) == []
    study = new_study()
    Executor(study).run()  # the two unfinished runs start from the first epoch
    verify_study(interrupted, retrained_per_attempt=4)


def test_unfinished_runs_of_a_study_with_a_driver_are_not_cleaned(interrupted: Path) -> None:
    with lease.lease(interrupted):
        with pytest.raises(HeldError):
            cleaning.clean(interrupted, unfinished=True)
        assert cleaning.clean(interrupted, unfinished=True, dry_run=True).kept_runs == 0
        assert cleaning.clean(interrupted).kept_runs == 2


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyDirectoryError):
        cleaning.clean(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_clean_command(cskd, interrupted: Path) -> None:
    before = checkpoints(interrupted)
    code, out, err = cskd("clean", interrupted, "--dry-run")
    assert (code, err) == (0, "")
    assert out.startswith(f"{interrupted}: would free ")
    assert checkpoints(interrupted) == before
    assert json.loads(cskd("clean", interrupted, "--dry-run", "--json")[1])["kept_runs"] == 2
    code, out, _ = cskd("clean", interrupted)
    assert code == 0
    assert "freed" in out
    assert "kept those of 2 unfinished runs" in out
    with lease.lease(interrupted):
        assert cskd("clean", interrupted, "--all")[0] == 75
    assert "freed" in cskd("clean", interrupted, "--all")[1]
    assert checkpoints(interrupted) == []
