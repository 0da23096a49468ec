"""Tests of the Python interface: launch, resume and the class ``Study``."""

from pathlib import Path

import pytest
from rich.console import Console

from analysis.report import figures
from study import api
from study.errors import HeldError, UsageError
from study.state import lease
from study.state.directory import open_study
from tests.kit.fakes import toy
from tests.kit.fakes.toy import ToyTrainable
from tests.kit.paths import PYTHON_PATH
from trainables.errors import ConfigError, DataError

QUIET = Console(quiet=True)


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        ({"dataset.validation.per_class": 500}, DataError, "89 training images"),
        ({"model.input_size": 16}, ConfigError, "input_size is 16, but the images"),
    ],
)
def test_unfit_data_are_refused_before_anything_is_created(tmp_path: Path, overrides, error, message: str) -> None:
    with pytest.raises(error, match=message):
        api.launch(toy.write_study(tmp_path), tmp_path / "runs", overrides=overrides, console=QUIET)
    assert not (tmp_path / "runs").exists()


def test_a_refused_extension_changes_nothing(done_directory: Path) -> None:
    with lease.lease(done_directory), pytest.raises(HeldError):
        api.resume(done_directory, trials=100, console=QUIET)
    with pytest.raises(UsageError, match="already has 8 search trials"):
        api.resume(done_directory, trials=3, console=QUIET, allow_changed=True)
    with pytest.raises(UsageError, match="--more-hours 2: the study has no budget in hours"):
        api.resume(done_directory, more_hours=2.0, console=QUIET, allow_changed=True)
    with open_study(done_directory) as study:
        assert study.trials_wanted == 8


@pytest.mark.bad_input(32)
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_study_launched_until_search_is_confirmed_only_on_request(tmp_path: Path, monkeypatch) -> None:
    """Resume keeps the ``until`` of the launch, so it never reads the test set unasked."""
    monkeypatch.setenv("PYTHONPATH", PYTHON_PATH)
    monkeypatch.setattr(figures, "available", dict)  # drawing takes seconds
    options = {"console": QUIET, "trainable": ToyTrainable}
    study_file = toy.write_study(tmp_path)
    with pytest.raises(UsageError, match="gpus_per_trial is 3"):
        api.launch(study_file, tmp_path, overrides={"resources.gpus_per_trial": 3}, **options)
    assert not (tmp_path / "toy").exists()  # so the corrected launch is not refused
    directory, ending = api.launch(study_file, tmp_path, until="search", overrides={"search.trials": 2}, **options)
    assert ending.complete == 2
    api.resume(directory, trials=3, **options)
    assert not (directory / "test_ledger.jsonl").exists()
    api.resume(directory, until="confirm", action="confirm", **options)
    assert len((directory / "test_ledger.jsonl").read_text().splitlines()) == 4


def test_a_study_in_a_notebook(done_directory: Path, tmp_path: Path) -> None:
    study = api.Study.open(done_directory)
    assert study.status()["state"] == "done"
    assert len(study.results().trials) == 9
    assert study.best_config()["method"]["name"] == "cs_kd"
    assert api.Study.preset("digits", {"search.trials": 3}).config.search.trials == 3
    fresh = api.Study.from_file(toy.write_study(tmp_path))
    with pytest.raises(UsageError, match="toy has not been launched"):
        fresh.results()
    with pytest.raises(DataError, match="89 training images"):
        api.Study.from_file(toy.write_study(tmp_path), {"dataset.validation.per_class": 500}).launch(tmp_path)
