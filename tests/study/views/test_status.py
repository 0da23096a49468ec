"""Tests of the status of a study in each of its states."""

import contextlib
import json
from pathlib import Path

from study.state import lease
from study.state.directory import open_study
from study.views import status
from tests.kit.fakes.executor import DriverKilledError, Executor


def described(directory: Path) -> dict:
    with open_study(directory) as study:
        return json.loads(json.dumps(status.describe(study)))


def counts(planned: int, **states: int) -> dict[str, int]:
    return {"planned": planned, "COMPLETE": 0, "PRUNED": 0, "FAIL": 0, "RUNNING": 0} | states


def test_a_finished_study_is_done(done_directory: Path) -> None:
    found = described(done_directory)
    assert (found["name"], found["state"], found["driver"]) == ("toy", "done", None)
    assert found["phases"] == {
        "controls": counts(1, COMPLETE=1),
        "search": counts(8, COMPLETE=8),
        "confirm": counts(4, COMPLETE=4),
    }
    assert found["objective"] == "validation/top1_error"
    assert found["best"]["params"] == {"temperature": 4.0, "lambda_cls": 1.0}  # the toy's optimum
    lines = status._best(found)
    assert lines.startswith(f"best so far: search/{found['best']['trial']}, validation top-1 error ")
    assert f" {100 * found['best']['value']:.2f} % (" in lines
    assert "T 4, λ_cls 1" in lines


def test_a_study_is_running_only_while_a_driver_holds_its_lease(new_study) -> None:
    study = new_study()
    found = status.describe(study)
    assert found["state"] == "interrupted"
    assert found["best"] is None
    assert found["phases"]["confirm"]["planned"] == 4
    assert status._best(found) == "no trial has completed yet"
    killed = 0

    def fault(assignment, epoch):
        nonlocal killed
        killed += 1
        return "driver" if killed == 20 else None

    with contextlib.suppress(DriverKilledError):
        Executor(study, fault).run()
    found = status.describe(study)
    assert found["state"] == "interrupted"
    assert found["phases"]["search"]["RUNNING"] + found["phases"]["controls"]["RUNNING"] == 2
    with lease.lease(study.directory):
        found = status.describe(study)
        assert found["state"] == "running"
        assert found["driver"] == str(lease.holder(study.directory))
        assert "running (driver " in status.table(found).title


def test_a_search_without_its_confirmation_is_interrupted(searched_directory: Path) -> None:
    found = described(searched_directory)
    assert found["state"] == "interrupted"
    assert found["phases"]["confirm"] == counts(4)


def test_a_study_without_a_completed_trial_is_failed(new_study) -> None:
    study = new_study(search__trials=2)
    Executor(study, lambda assignment, _: "nan" if assignment.phase == "search" else None).run()
    assert status.describe(study)["state"] == "failed"


def test_summary_has_one_row_per_study(done_directory: Path) -> None:
    found = described(done_directory)
    table = status.summary([found, found | {"name": "other", "best": None}])
    assert table.title == "2 studies"
    assert [row[:3] for row in table.rows] == [("toy", "done", "8/8"), ("other", "done", "8/8")]
    assert [row[-1] for row in table.rows] == [f"{100 * found['best']['value']:.2f} %", None]
