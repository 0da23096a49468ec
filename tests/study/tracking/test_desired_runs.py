"""Tests of the MLflow runs that are derived from a study."""

from pathlib import Path

import pytest

from study.tracking import desired_runs
from study.tracking.desired_runs import Point, metric_points, params_of, study_run, trial_runs
from tests.kit.fakes.executor import DriverKilledError, Executor
from trainables.runs.run_directory import EpochRow


def epoch(number: int, **metrics: float) -> EpochRow:
    return EpochRow(number, 1, {name.replace("__", "/"): x for name, x in metrics.items()}, 0.25, 1000.0 + number)


def test_few_metrics_at_each_epoch_and_all_at_the_last() -> None:
    rows = [epoch(n, train__loss=1 / n, train__ce=0.5, validation__ece=0.1) for n in (1, 2, 3)]
    points = list(metric_points(rows, ["validation/top1_error"], epochs=3))
    assert points[:2] == [Point("train/loss", 1.0, 1, 1_001_000), Point("epoch_seconds", 0.25, 1, 1_001_000)]
    assert [point.metric for point in points if point.step == 3] == [
        *("train/ce", "train/loss", "validation/ece"),
        "epoch_seconds",
    ]


def test_the_objective_is_shown_at_each_epoch() -> None:
    rows = [epoch(1, validation__ece=0.1)]
    assert Point("validation/ece", 0.1, 1, 1_001_000) in metric_points(rows, ["validation/ece"], epochs=3)


def test_points_of_a_longer_run_begin_with_those_of_a_shorter_one() -> None:
    rows = [epoch(n, train__loss=1 / n, validation__top1_error=0.5) for n in (1, 2, 3)]
    longer = list(metric_points(rows, ["validation/top1_error"], epochs=9))
    shorter = list(metric_points(rows[:2], ["validation/top1_error"], epochs=9))
    assert longer[: len(shorter)] == shorter


def test_params_are_flat_and_without_local_paths(toy, tmp_path: Path) -> None:
    config = toy(dataset__root=str(tmp_path)).search_config({"temperature": 4.0, "lambda_cls": 1.5}, 3)
    params = params_of(config)
    assert params["temperature"] == "4.0"
    assert params["lambda_cls"] == "1.5"
    assert (params["method"], params["model"], params["dataset"]) == ("cs_kd", "preact_resnet10", "digits")
    assert params["training.lr"] == "0.1"
    assert params["dataset.validation.per_class"] == "8"
    assert params["seed"] == str(config.seed)
    assert str(tmp_path) not in "".join(params.values())
    assert len(params) < 100  # MLflow's limit for one request


def test_unfinished_runs_are_running_or_interrupted(new_study) -> None:
    study = new_study()

    def kill(assignment, at: int) -> str | None:
        return "driver" if (assignment.phase, assignment.number, at) == ("search", 5, 2) else None

    with pytest.raises(DriverKilledError):
        Executor(study, kill, slots=1).run()
    living = {run.key: run for run in trial_runs(study, live=True)}
    assert (living["search/4"].status, living["search/4"].tags["cskd.state"]) == ("FINISHED", "COMPLETE")
    assert (living["search/5"].status, living["search/5"].end) == ("RUNNING", None)
    dead = {run.key: run for run in trial_runs(study, live=False)}
    assert (dead["search/5"].status, dead["search/5"].tags["cskd.state"]) == ("KILLED", "INTERRUPTED")
    assert dead["search/5"].end is not None
    assert study_run(study, live=True).status == "RUNNING"
    assert study_run(study, live=False).tags["cskd.state"] == "INTERRUPTED"
    assert "search/4" not in {run.key for run in trial_runs(study, live=True, without=frozenset({"search/4"}))}


def test_the_run_of_a_finished_study_has_its_findings(new_study) -> None:
    study = new_study()
    Executor(study).run()
    run = study_run(study, live=False)
    assert run.status == "FINISHED"
    assert run.tags["cskd.winner"].startswith("search/")
    assert f"The winner is {run.tags['cskd.winner']}" in run.tags["mlflow.note.content"]
    assert {point.metric for point in run.points} == {"winner/validation/top1_error", "winner/test/top1_error"}
    assert study_run(study, live=False) == run  # does not depend on the current time
    assert not run.replaceable


def test_hostile_text_is_escaped_and_truncated(new_study) -> None:
    study = new_study()
    Executor(study, lambda a, _: "wrong" if a.phase == "search" else None).run()
    trial = study.store.begin("search", {}, {}, {})
    study.store.set_attribute(trial, "error", "\x1b[31m\0<script>\n" + "x" * 10_000)
    (run,) = [run for run in trial_runs(study, live=False) if run.key == f"search/{trial.number}"]
    assert run.tags["cskd.error"].startswith(r"\x1b[31m\x00<script>\n")
    assert len(run.tags["cskd.error"]) == desired_runs.LONGEST_TAG
