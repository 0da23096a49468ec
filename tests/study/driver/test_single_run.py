"""``cskd train``: one configuration, resumable, with its own ledger."""

from pathlib import Path

import pytest
from rich.console import Console

from study.definition import yaml_reader
from study.driver import single_run
from study.driver.single_run import read_train_config, train
from study.errors import StudyFileError, UsageError
from study.state import ledger
from trainables.config import TrainConfig
from trainables.runs.run_directory import RunDirectory

CONFIG = {
    "dataset": {"name": "digits", "validation": {"per_class": 74}},
    "model": {"name": "preact_resnet10", "width": 8, "input_size": 8},
    "method": {"name": "cs_kd", "temperature": 4, "lambda_cls": 1},
    "training": {"epochs": 3, "batch_size": 32},
    "seed": 7,
}
SILENT = Console(quiet=True)


@pytest.fixture
def config() -> TrainConfig:
    return TrainConfig.model_validate(CONFIG)


@pytest.mark.slow
def test_an_interrupted_run_resumes_and_equals_an_uninterrupted_one(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(config, tmp_path / "whole", SILENT, test=True)
    assert (whole.state, whole.epoch) == ("finished", 3)

    summary = single_run._summary

    def interrupt_in_epoch_two(metrics):
        if len(RunDirectory(tmp_path / "broken").epochs()) == 2:
            raise KeyboardInterrupt
        return summary(metrics)

    monkeypatch.setattr(single_run, "_summary", interrupt_in_epoch_two)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "broken", SILENT, test=True)
    monkeypatch.undo()
    assert ledger.readings(tmp_path / "broken") == []
    resumed = train(config, tmp_path / "broken", SILENT, test=True)
    assert resumed.metrics == whole.metrics
    rows = RunDirectory(tmp_path / "broken").epochs()
    assert [(row.epoch, row.attempt) for row in rows] == [(1, 1), (2, 1), (3, 2)]
    assert [row.metrics for row in rows] == [row.metrics for row in RunDirectory(tmp_path / "whole").epochs()]

    reading = ledger.readings(tmp_path / "broken")
    assert [(line["arm"], line["seed"], line["attempt"]) for line in reading] == [("train", 7, 2)]
    assert reading[0]["config_digest"] == config.digest()
    assert (
        train(config, tmp_path / "broken", SILENT, test=True) == resumed
    )  # the run has finished: the test set is not read again
    assert len(ledger.readings(tmp_path / "broken")) == 1


@pytest.mark.slow
def test_without_test_the_test_set_is_not_read(config: TrainConfig, tmp_path: Path) -> None:
    short = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 1})})
    outcome = train(short, tmp_path, SILENT, test=False)
    assert not [name for name in outcome.metrics if name.startswith("test/")]
    assert ledger.readings(tmp_path) == []
    with pytest.raises(UsageError, match="ended without reading the test set; give another --out"):
        train(short, tmp_path, SILENT, test=True)
    with pytest.raises(UsageError, match="holds a run of another configuration; give another --out"):
        train(config, tmp_path, SILENT, test=False)
    assert train(short, tmp_path, SILENT, test=False) == outcome


def test_a_run_in_a_study_directory_is_refused(config: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("")
    with pytest.raises(UsageError, match="holds a study; give another --out"):
        train(config, tmp_path, SILENT, test=False)
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


def test_a_configuration_is_read_from_a_file(config: TrainConfig, tmp_path: Path) -> None:
    path = tmp_path / "best_config.yaml"
    path.write_bytes(yaml_reader.dump(config.model_dump(mode="json")))
    assert read_train_config(path) == config
    path.write_bytes(yaml_reader.dump(CONFIG | {"sed": 1, "training": {"epochs": 0}}))
    with pytest.raises(StudyFileError) as caught:
        read_train_config(path)
    path.write_text("name: mine\nsearch: {trials: 2}\n")
    with pytest.raises(StudyFileError, match=f"is a study file, not one run's configuration; `cskd launch {path}`"):
        read_train_config(path)
    assert sorted(line.removeprefix(f"{path}: ") for line in str(caught.value).split("\n")) == [
        "sed: unknown key; did you mean 'seed'?",
        "training.epochs: input should be greater than or equal to 1, not 0",
    ]
