"""Checkpoints go, results stay."""

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
    """All files but checkpoints and what a driver leaves open."""
    files = (path for path in directory.rglob("*") if path.is_file())
    left_out = ("checkpoints", ".driver.lock", ".driver.json")
    return {path: path.read_bytes() for path in files if path.parent.name not in left_out and path.name not in left_out}


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


def test_a_finished_study_loses_its_checkpoints_and_nothing_else(new_study) -> None:
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


def test_unfinished_runs_keep_theirs_unless_all_are_asked_for(interrupted: Path, new_study) -> None:
    found = cleaning.clean(interrupted)
    assert (found.runs > 0, found.kept_runs) == (True, 2)
    assert len({path.parent for path in checkpoints(interrupted)}) == 2
    assert cleaning.clean(interrupted, unfinished=True).runs == 2
    assert checkpoints(interrupted) == []
    study = new_study()
    Executor(study).run()  # from the first epoch, as far as the two are concerned
    verify_study(interrupted, retrained_per_attempt=4)


def test_a_held_study(interrupted: Path) -> None:
    with lease.lease(interrupted):
        with pytest.raises(HeldError):
            cleaning.clean(interrupted, unfinished=True)
        assert cleaning.clean(interrupted, unfinished=True, dry_run=True).kept_runs == 0
        assert cleaning.clean(interrupted).kept_runs == 2


def test_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyDirectoryError):
        cleaning.clean(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_command(cskd, interrupted: Path) -> None:
    before = checkpoints(interrupted)
    code, out, err = cskd("clean", interrupted, "--dry-run")
    assert (code, err) == (0, "")
    assert out.startswith(f"{interrupted}: would give back ")
    assert checkpoints(interrupted) == before
    assert json.loads(cskd("clean", interrupted, "--dry-run", "--json")[1])["kept_runs"] == 2
    code, out, _ = cskd("clean", interrupted)
    assert code == 0
    assert "gave back" in out
    assert "2 unfinished runs keep theirs" in out
    with lease.lease(interrupted):
        assert cskd("clean", interrupted, "--all")[0] == 75
    assert "gave back" in cskd("clean", interrupted, "--all")[1]
    assert checkpoints(interrupted) == []
