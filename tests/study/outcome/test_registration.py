"""The winner in a real model registry: a version with its checkpoint and configuration, and its alias."""

from pathlib import Path

import pytest

from analysis.records.result_files import ResultsError
from study.errors import ServiceError, UsageError
from study.outcome import registration
from tests.kit.fakes.executor import Executor
from trainables.files.durable import sha256_of
from trainables.runs.checkpoint_names import generations
from trainables.runs.run_directory import RunDirectory


@pytest.fixture
def confirmed(new_study, local_tracking: str):
    """A finished study and the checkpoint to register."""
    study = new_study(tracking__enabled=True)
    Executor(study).run()
    (checkpoint, *_) = generations(RunDirectory(study.directory / "confirm" / "0").checkpoints)
    return study.directory, checkpoint


def download(uri: str, model: str, alias: str, folder: Path) -> dict[str, bytes]:
    import mlflow

    client = mlflow.MlflowClient(uri, uri)
    version = client.get_model_version_by_alias(model, alias).version
    mlflow.artifacts.download_artifacts(client.get_model_version_download_uri(model, version), dst_path=str(folder))
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_checkpoint_and_configuration_can_be_downloaded_by_the_alias(
    confirmed, local_tracking: str, tmp_path: Path
) -> None:
    directory, checkpoint = confirmed
    registered = registration.register(directory, "digits@champion")
    assert registered == ("digits", "1", "champion", "confirm/0")
    (folder := tmp_path / "downloaded").mkdir()
    files = download(local_tracking, "digits", "champion", folder)
    assert files[checkpoint.name] == checkpoint.read_bytes()
    assert files[f"{checkpoint.name}.sha256"].decode().split()[0] == sha256_of(checkpoint.read_bytes())
    assert files["best_config.yaml"] == (directory / "best_config.yaml").read_bytes()
    assert not any(name.endswith((".pkl", ".pickle")) or name == "MLmodel" for name in files)


def test_the_same_checkpoint_is_the_same_version_and_its_alias_moves(confirmed, local_tracking: str) -> None:
    from mlflow import MlflowClient

    directory, _ = confirmed
    client = MlflowClient(local_tracking, local_tracking)
    client.create_registered_model("it's mine")
    client.set_registered_model_alias("it's mine", "best", client.create_model_version("it's mine", "/nowhere").version)
    for _ in range(2):
        assert registration.register(directory, "it's mine@best").version == "2"
    found = client.get_model_version_by_alias("it's mine", "best")
    assert int(found.version) == 2
    assert client.get_run(found.run_id).data.tags["cskd.run"] == "confirm/0"
    assert "arm search/" in found.description


def test_invalid_names_and_missing_checkpoints_are_refused(confirmed, new_study, local_tracking: str) -> None:
    directory, checkpoint = confirmed
    for name in ("", "@champion", "digits@", "my/digits", "a:b@champion"):
        with pytest.raises(UsageError, match="is not a model name"):
            registration.register(directory, name)
    with pytest.raises(ServiceError, match="alias"):  # MLflow's message
        registration.register(directory, "digits@latest")
    for path in generations(checkpoint.parent):
        path.unlink()
    with pytest.raises(UsageError, match="no longer holds a checkpoint; `cskd train"):
        registration.register(directory, "digits")


def test_a_study_without_a_confirmed_winner_is_refused(new_study, local_tracking: str) -> None:
    study = new_study(tracking__enabled=True)
    Executor(study, until="search").run()
    with pytest.raises(ResultsError, match="no confirmed winner"):
        registration.register(study.directory, "digits")
