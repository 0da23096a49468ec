"""Tests of the log of one trial."""

import json
import re
from pathlib import Path

import pytest

from study.errors import UsageError
from study.state.directory import open_study
from study.views.trial_log import first_error, rows, table
from tests.kit.fakes.executor import Executor


@pytest.mark.parametrize("trial", ["3", "search/3", "search/03"])
def test_the_log_of_a_search_trial(done_directory: Path, trial: str) -> None:
    found = json.loads(json.dumps(rows(done_directory, trial)))
    with open_study(done_directory) as study:
        expected = study.store.trials("search")[3]
    assert (found["trial"], found["state"], found["params"]) == ("search/3", "COMPLETE", expected.params)
    assert [row["epoch"] for row in found["epochs"]] == [1, 2, 3, 4]
    assert found["outcome"]["metrics"]["validation/top1_error"] == expected.value
    shown = table(found)
    assert re.match(r"search/3: COMPLETE, attempt 1, T \d, λ_cls \d$", shown.title)
    assert shown.columns == ("epoch", "train loss", "val. error %", "val. nll", "seconds")
    assert [row[0] for row in shown.rows] == [1, 2, 3, 4]
    assert shown.rows[3][2] == f"{100 * expected.value:.2f}"
    assert shown.notes == ()


def test_the_log_of_controls_and_confirmations(done_directory: Path) -> None:
    assert rows(done_directory, "controls/0")["params"] == {}
    shown = table(rows(done_directory, "confirm/2"))
    assert shown.columns == ("epoch", "train loss", "test error %", "seconds")
    assert [row[2] is None for row in shown.rows] == [True, True, True, False]  # read once, at the end


@pytest.mark.parametrize("trial", ["8", "search/-1", "confirm/4", "nothing/0", "search/", "x", "", "1.5", "search/²"])
def test_an_unknown_trial_is_refused(done_directory: Path, trial: str) -> None:
    with pytest.raises(UsageError, match=r"no trial '.*'; .* numbered from 0|is not the name of a run; give a phase"):
        rows(done_directory, trial)


def test_the_log_of_a_failed_trial_has_its_error(new_study) -> None:
    study = new_study(search__trials=2)
    fault = {("search", 1, 2): "nan"}
    Executor(study, lambda assignment, epoch: fault.get((assignment.phase, assignment.number, epoch))).run()
    shown = table(rows(study.directory, "1"))
    assert shown.notes == ("error: train/loss is NaN",)
    assert len(shown.rows) == 1
    assert first_error(study.directory) == "train/loss is NaN"
