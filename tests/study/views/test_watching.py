"""Tests of ``cskd watch`` for studies in several states."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from study.views import watching
from tests.kit.fakes.executor import DriverKilledError, Executor


def shown(found) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(watching.page(found))
    return console.file.getvalue()


def test_the_page_of_a_finished_study(new_study) -> None:
    study = new_study()
    Executor(study).run()
    found = watching.describe(study)
    values = sorted(trial.values[0] for trial in study.store.trials("search"))
    assert [trial["value"] for trial in found["best"]] == values[:5]
    assert (found["running"], found["state"], found["seconds_left"]) == ([], "done", 0.0)
    assert found["device_hours"] == pytest.approx((8 + 1 + 4) * 4 * 0.01 / 3600)
    assert sum(found["importance"].values()) == pytest.approx(1)
    text = shown(found)
    assert re.search(r"search +8 +0 +8 +0 +0", text)
    assert f"{values[0]:.4f}" in text
    assert "importance so far: " in text


def test_a_study_whose_driver_died_shows_its_unfinished_runs(new_study) -> None:
    study = new_study()

    def fault(assignment, epoch):
        return "driver" if (assignment.phase, assignment.number, epoch) == ("search", 3, 3) else None

    with pytest.raises(DriverKilledError):
        Executor(study, fault, slots=1).run()
    found = watching.describe(study)
    assert found["running"] == [
        {"phase": "search", "trial": 3, "attempt": 1, "epoch": 2, "epochs": 4, "value": found["running"][0]["value"]}
    ]
    assert found["state"] == "interrupted"
    assert found["importance"] == {}
    assert found["seconds_left"] > 0
    assert "search/3" in shown(found)
    assert "2/4" in shown(found)


def test_the_page_before_the_first_run(new_study) -> None:
    found = watching.describe(new_study())
    assert (found["best"], found["running"], found["seconds_left"]) == ([], [], None)
    assert "? left" in shown(found)


def test_a_study_that_ends_after_the_search_has_no_time_left(new_study) -> None:
    study = new_study()
    study.store.set_study_attribute("until", "search")
    Executor(study, until="search").run()
    found = watching.describe(study)
    assert (found["state"], found["seconds_left"]) == ("searched", 0.0)


def test_watch_command(cskd, done_directory: Path) -> None:
    code, out, _ = cskd("watch", done_directory)
    assert (code, out.splitlines()[0]) == (0, "toy: done")
    assert out.endswith(" device-hours\n")
