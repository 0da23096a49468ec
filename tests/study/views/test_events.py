"""Tests of the JSON lines that describe a study's events."""

import contextlib
import io
import json
import os
from collections import Counter

import pytest

from study.views.events import Events
from study.views.listener import Listeners
from tests.kit.fakes.executor import Executor, Watcher


def lines(study, fault=None) -> list[dict]:
    out = io.StringIO()
    listener = Listeners([Events(out, pytest.fail), Watcher()])
    Executor(study, listener=listener, **({"fault": fault} if fault else {})).run()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_run_starts_reports_epochs_and_settles(new_study) -> None:
    found = lines(new_study(search__trials=3))
    runs = 3 + 1 + 2 * 2
    counts = Counter(line["event"] for line in found)
    # The last epoch of a run is reported with its end.
    assert counts == {"started": runs, "epoch": 3 * runs, "settled": runs}
    assert [line["time"] for line in found] == sorted(line["time"] for line in found)


def test_events_have_the_documented_keys(new_study) -> None:
    found = [line for line in lines(new_study(search__trials=1)) if line["phase"] == "search"]
    assert [line["event"] for line in found] == ["started", "epoch", "epoch", "epoch", "settled"]
    assert found[0]["method"]["name"] == "cs_kd"
    assert found[1]["epoch"] == 1
    assert found[1]["metrics"]["validation/top1_error"] > 0
    assert (found[-1]["state"], found[-1]["error"]) == ("COMPLETE", None)
    assert found[-1]["value"] == found[-1]["value"]
    assert {(line["trial"], line["attempt"]) for line in found} == {(0, 1)}


def test_retries_and_failures_are_reported(new_study) -> None:
    def fault(assignment, epoch):
        if assignment.phase != "search":
            return None
        return "io" if (assignment.number, assignment.attempt, epoch) == (1, 1, 2) else "nan" * (assignment.number == 2)

    found = lines(new_study(search__trials=3), fault)
    retried = [line for line in found if line["event"] == "retried"]
    assert [(line["trial"], line["attempt"]) for line in retried] == [(1, 1)]
    assert "disk went away" in retried[0]["error"]
    settled = [line for line in found if (line["event"], line["phase"]) == ("settled", "search")]
    failed = next(line for line in settled if line["trial"] == 2)
    assert (failed["state"], failed["value"]) == ("FAIL", None)


def test_a_spent_budget_is_reported(new_study) -> None:
    found = lines(new_study(search__budget={"device_hours": 0.2 / 3600, "reserve_for_confirmation": 0}))
    assert next(line["phase"] for line in found if line["event"] == "cut_short") == "search"


def test_a_closed_pipe_is_reported_once_and_the_study_continues(new_study) -> None:
    read, write = os.pipe()
    os.close(read)
    said: list[str] = []
    study = new_study(search__trials=2)
    with contextlib.suppress(OSError), os.fdopen(write, "w") as out:  # closing flushes into the closed pipe
        Executor(study, listener=Listeners([Events(out, said.append), Watcher()])).run()
    assert said == ["events are no longer written: Broken pipe; the study continues"]
    assert [trial.state.name for trial in study.store.trials("search")] == 2 * ["COMPLETE"]
