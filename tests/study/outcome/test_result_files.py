"""The result files follow from the study's database and run directories."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml

from analysis.records import result_files
from study.outcome.result_files import report, write_all
from study.outcome.verification import verify
from study.state import ledger, optuna_store, provenance
from tests.kit.fakes.executor import Executor
from tests.kit.fakes.toy import PREDICTIONS, ToyRun
from trainables.config import TrainConfig
from trainables.runs import predictions
from trainables.runs.run_directory import RunDirectory


def disturbed(assignment, epoch):
    faults = {("search", 1, 2): "nan", ("search", 2, 3): "lost"}
    return faults.get((assignment.phase, assignment.number, epoch)) if assignment.attempt == 1 else None


@pytest.fixture
def study(new_study):
    opened = new_study(search__trials=4)
    Executor(opened, disturbed).run()
    return opened


def test_rebuilt_result_files_are_the_same(study) -> None:
    first = write_all(study)
    texts = {path: path.read_bytes() for path in study.directory.glob("report/*")}
    winner = (study.directory / "best_config.yaml").read_bytes()
    shutil.rmtree(study.directory / "results")
    shutil.rmtree(study.directory / "report")
    (study.directory / "best_config.yaml").unlink()
    second = write_all(study)
    for table in ("trials", "epochs", "confirmations"):
        pd.testing.assert_frame_equal(getattr(first, table), getattr(second, table))
    assert first.study == second.study
    assert texts
    assert {path: path.read_bytes() for path in texts} == texts
    assert (study.directory / "best_config.yaml").read_bytes() == winner


def test_the_report_can_be_written_from_a_copy_of_the_result_files(study, tmp_path: Path) -> None:
    write_all(study)
    copy = tmp_path / "laptop"
    for part in ("results", "confirm"):
        shutil.copytree(study.directory / part, copy / part)
    assert report(copy) == copy / "report" / "index.html"
    drawn = {path.name: path.read_bytes() for path in (copy / "report").iterdir()}
    kept = {path.name: path.read_bytes() for path in (study.directory / "report").iterdir()}
    assert drawn == {name: content for name, content in kept.items() if not name.startswith("best_config")}


def test_the_report_lists_launches(study) -> None:
    provenance.note(study.directory, "launch", study.config.digest(), ["code <changed>"])
    write_all(study)
    page = (study.directory / "report" / "index.html").read_text()
    assert "code &lt;changed&gt;" in page
    assert provenance.versions()["torch"] in page


def test_tables_agree_with_database_and_run_directories(study) -> None:
    found = result_files.read(study.directory / "results")
    trials = found.trials.set_index(["phase", "trial"])
    assert len(trials) == 4 + 1
    for trial in study.store.trials("search"):
        row = trials.loc[("search", trial.number)]
        run = RunDirectory(study.directory / "trials" / str(trial.number))
        assert row["state"] == trial.state.name
        assert row["seed"] == study.config.search_config(trial.params, trial.number).seed
        assert row["params/temperature"] == trial.params["temperature"]
        assert row["epochs"] == len(run.epochs())
        assert row["attempts"] == trial.user_attrs["attempt"]
        assert row["device_seconds"] == pytest.approx(0.01 * run.epochs_trained())
        assert row["duration_seconds"] > 0
        if trial.state.name == "COMPLETE":
            assert row["validation/top1_error"] == trial.value
    assert list(found.trials.query("phase == 'search'")["state"]) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials.loc[("search", 1), "error"] == "train/loss is NaN"
    assert trials.loc[("search", 2), "attempts"] == 2
    epochs = found.epochs.query("phase == 'search' and trial == 2")
    assert list(epochs["epoch"]) == [1, 2, 3, 4]
    assert list(epochs["attempt"]) == [1, 1, 2, 2]


def test_confirmations_have_their_arm(study) -> None:
    found = result_files.read(study.directory / "results").confirmations
    expected = [(trial.user_attrs["arm"], trial.user_attrs["seed"]) for trial in study.store.trials("confirm")]
    assert list(zip(found["arm"], found["seed"], strict=True)) == expected
    assert set(found["trained_on"]) == {"full"}
    assert list(found["test/top1_error"]) == [trial.value for trial in study.store.trials("confirm")]


def measured_each_epoch(study):
    """Returns the confirmation runs and their epochs."""
    Executor(study).run()
    results = result_files.read(study.directory / "results")
    epochs = results.epochs[results.epochs["phase"] == "confirm"]
    return results.confirmations, dict(iter(epochs.groupby("trial")))


@pytest.mark.parametrize(("metric", "chosen"), [("top1_error", "idxmin"), ("recall_at_1", "idxmax")])
def test_test_metrics_at_the_epoch_with_the_best_validation_value(new_study, monkeypatch, metric, chosen) -> None:
    def metrics(run):
        """Returns metrics with different best epochs on validation and test data."""
        validation = {1: 0.4, 2: 0.2, 3: 0.2, 4: 0.3}[run.epoch]
        found = {"train/loss": 1.0, f"validation/{metric}": validation}
        if run.assignment.access is not None:
            run.assignment.access.record("toy", 100)
            predictions.write(run.directory.predictions, PREDICTIONS, ("a", "b"))
            found |= {f"test/{metric}": 1 / run.epoch, "test/nll": float(run.epoch)}
        return found

    monkeypatch.setattr(ToyRun, "_metrics", metrics)
    study = new_study(
        search__trials=1,
        search__objectives=[f"validation/{metric}"],
        confirm__train_on="train",
        confirm__test_each_epoch=True,
        confirm__seeds=[1],
    )
    runs, epochs = measured_each_epoch(study)
    for run in runs.to_dict("records"):
        rows = epochs[run["trial"]]
        best = rows.loc[getattr(rows[f"validation/{metric}"], chosen)()]
        assert run["at_best_validation/epoch"] == best["epoch"] < 4  # the first of equal ones
        assert run[f"at_best_validation/{metric}"] == best[f"test/{metric}"]
        assert run["at_best_validation/nll"] == best["epoch"]
        assert run[f"test/{metric}"] == 1 / 4  # the reported value stays the last epoch's
    assert len(ledger.readings(study.directory)) == 4 * len(runs)  # without an additional reading


def test_without_validation_split_or_test_at_each_epoch_there_is_no_best_epoch(new_study) -> None:
    for number, options in enumerate(({"confirm__train_on": "train"}, {"confirm__test_each_epoch": True})):
        runs, _ = measured_each_epoch(new_study(name=f"none{number}", search__trials=1, confirm__seeds=[1], **options))
        assert not any(name.startswith("at_best_validation") for name in runs)


def test_searched_training_options_are_columns_of_all_runs(new_study) -> None:
    study = new_study(search__trials=2)
    with_rate = dict(study.config.resolved()["search"]["space"]) | {
        "training.lr": {"low": 0.02, "high": 0.3, "log": True}
    }
    study = new_study(name="rates", search__trials=2, search__space=with_rate)
    Executor(study).run()
    found = result_files.read(study.directory / "results")
    searched = found.trials[found.trials["phase"] == "search"]["params/training.lr"]
    assert list(searched) == [trial.params["training.lr"] for trial in study.store.trials("search")]
    control = found.trials[found.trials["phase"] == "controls"]["params/training.lr"]
    assert list(control) == [study.config.training.lr]
    winner = found.study["arms"][found.study["finalists"][0]]["config"]["training"]["lr"]
    rates = found.confirmations.groupby("arm")["params/training.lr"].unique()
    assert list(rates[found.study["finalists"][0]]) == [winner]


def test_the_study_description(study) -> None:
    found = result_files.read(study.directory / "results").study
    assert found["config"] == study.config.resolved()
    assert found["digests"]["study"] == study.config.digest()
    assert found["ledger"] == ledger.readings(study.directory)
    assert found["baseline"] == "controls/0"
    assert found["states"]["search"] == {"COMPLETE": 3, "FAIL": 1}
    assert set(found["arms"]) == {*found["finalists"], "controls/0"}
    for arm in found["arms"].values():
        TrainConfig.model_validate(arm["config"])


def test_the_best_configuration_can_be_trained(study) -> None:
    config = TrainConfig.model_validate(yaml.safe_load((study.directory / "best_config.yaml").read_text()))
    found = result_files.read(study.directory / "results").study
    winner = TrainConfig.model_validate(found["arms"][found["finalists"][0]]["config"])
    assert config.method == winner.method
    assert config.train_on == "full"
    assert config.seed in study.config.confirm.seeds


def test_an_unfinished_study_has_results_but_no_best_configuration(new_study) -> None:
    study = new_study(search__trials=2)
    study.store.begin("search", {"temperature": 4.0, "lambda_cls": 1.0}, study.config.space(), {})
    found = write_all(study)
    assert list(found.trials["state"]) == ["RUNNING"]
    assert found.epochs.empty
    assert found.confirmations.empty
    assert not (study.directory / "best_config.yaml").exists()
    assert "No search trial has completed (1 running)" in (study.directory / "report" / "index.html").read_text()


def test_an_extended_study_keeps_the_arms_of_its_first_confirmation(new_study) -> None:
    study = new_study(search__trials=2)
    Executor(study).run()
    first = json.loads(json.dumps(result_files.read(study.directory / "results").study["finalists"]))
    study.store.set_study_attribute("trials", 8)
    Executor(study).run()
    found = result_files.read(study.directory / "results")
    assert set(found.study["arms"]) >= {*first, *found.study["finalists"], "controls/0"}
    assert set(found.confirmations["arm"]) == set(found.study["arms"])


def test_no_temporary_files_are_left(done_directory: Path) -> None:
    assert [path for path in done_directory.rglob("*") if path.name.endswith(".tmp")] == []


@pytest.mark.fault(21)
@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=-365)], ids=["back an hour", "forward a year"])
def test_durations_when_the_clock_is_set_while_trials_run(
    new_study, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    study = new_study(search__trials=2)

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + ahead  # the clock at the start of a trial

    monkeypatch.setattr(optuna_store, "datetime", Clock)
    Executor(study).run()
    found = result_files.read(study.directory / "results")
    for frame in (found.trials, found.confirmations):
        assert (frame["duration_seconds"] >= frame["device_seconds"]).all()
        assert (frame["device_seconds"] > 0).all()
    assert verify(study).violations == []
