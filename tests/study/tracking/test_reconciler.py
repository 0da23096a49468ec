"""Tests that MLflow matches the study: real toy studies, a real MLflow database, and every way of differing."""

from collections.abc import Callable

import pytest

from study.state import mlflow_record
from study.tracking.reconciler import Mirror
from study.tracking.tracking_thread import open_mirror
from tests.kit.fakes.executor import DriverKilledError, Executor
from tests.kit.faults.oracle import verify_tracking
from trainables.runs import checkpoint_names
from trainables.runs.run_directory import RunDirectory


@pytest.fixture
def mirror_of(local_tracking: str) -> Callable[..., Mirror]:
    """Function that opens the mirror of a study, as a driver or ``cskd sync`` does."""
    del local_tracking
    return open_mirror


def runs(study) -> dict:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{study.directory.parent / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return {run.data.tags["cskd.run"]: run for run in client.search_runs(experiments, max_results=1000)}


def killed_at(phase: str, number: int, epoch: int) -> Callable:
    return lambda assignment, at: (
        "driver" if (assignment.phase, assignment.number, at) == (phase, number, epoch) else None
    )


def test_repeated_updates_store_each_run_once(new_study, mirror_of) -> None:
    study = new_study()
    Executor(study).run()
    for _ in range(3):
        mirror = mirror_of(study)
        mirror.bring_up_to_date(live=False)
        mirror.bring_up_to_date(live=False)
    counts = verify_tracking(study.directory)
    assert counts["FINISHED"] == 8 + 1 + 4
    parent = runs(study)["study"]
    assert (parent.info.status, parent.data.tags["cskd.state"]) == ("FINISHED", "DONE")
    assert parent.data.metrics["winner/validation/top1_error"] == min(t.value for t in study.store.trials("search"))
    assert parent.data.params["method"] == "cs_kd"


def test_a_complete_run_needs_no_request(new_study, mirror_of) -> None:
    study = new_study()
    Executor(study).run()
    mirror_of(study).bring_up_to_date(live=False)
    again = mirror_of(study)
    responses: list[int] = []
    again._service._on_response = lambda: responses.append(1)
    again.bring_up_to_date(live=False)
    assert responses == []


def test_failed_diverged_and_pruned_trials_have_their_states(new_study, mirror_of) -> None:
    study = new_study()
    faults = {("search", 1): "wrong", ("search", 2): "nan", ("search", 3): "stop"}
    Executor(study, lambda a, epoch: faults.get((a.phase, a.number)) if epoch == 3 else None, prunes=True).run()
    mirror_of(study).bring_up_to_date(live=False)
    verify_tracking(study.directory)
    found = {key: (run.info.status, run.data.tags["cskd.state"]) for key, run in runs(study).items()}
    assert found["search/1"] == ("FAILED", "FAIL")
    assert found["search/2"] == ("FAILED", "FAIL")
    assert found["search/3"] == ("KILLED", "PRUNED")
    assert runs(study)["search/1"].data.tags["cskd.error"] == "ValueError: a wrong option"


def test_an_interrupted_run_is_killed_and_reopened_by_a_resume(new_study, mirror_of) -> None:
    study = new_study()
    with pytest.raises(DriverKilledError):
        Executor(study, killed_at("search", 4, 3)).run()
    mirror = mirror_of(study)
    mirror.bring_up_to_date(live=True)
    before = runs(study)
    assert before["study"].info.status == before["search/4"].info.status == "RUNNING"
    mirror.bring_up_to_date(live=False)
    verify_tracking(study.directory)
    stopped = runs(study)
    assert (stopped["search/4"].info.status, stopped["search/4"].data.tags["cskd.state"]) == ("KILLED", "INTERRUPTED")
    assert (stopped["study"].info.status, stopped["study"].data.tags["cskd.state"]) == ("KILLED", "INTERRUPTED")

    again = new_study()
    resumed = mirror_of(again)
    resumed.bring_up_to_date(live=True)
    assert runs(study)["search/4"].info.status == "RUNNING"
    Executor(again).run()
    resumed.bring_up_to_date(live=False)
    verify_tracking(again.directory)
    after = runs(study)
    assert after["search/4"].info.run_id == before["search/4"].info.run_id
    assert (after["search/4"].info.status, after["search/4"].data.tags["cskd.attempt"]) == ("FINISHED", "2")


def test_epochs_after_the_last_checkpoint_are_not_shown(new_study, mirror_of, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.kit.fakes import toy

    monkeypatch.setattr(toy, "SAVE_EVERY", 2)
    study = new_study()
    with pytest.raises(DriverKilledError):
        Executor(study, killed_at("search", 2, 4), slots=1).run()  # three epochs trained, two of them saved
    mirror_of(study).bring_up_to_date(live=False)
    assert runs(study)["search/2"].data.metrics["epoch_seconds"] == 0.01
    assert verify_tracking(study.directory)["KILLED"] == 1
    service = mirror_of(study)._service
    shown = service.points_of(runs(study)["search/2"].info.run_id, ["validation/top1_error"])
    assert [point.step for point in shown] == [1, 2]


def test_a_run_whose_epochs_changed_is_created_again(new_study, mirror_of) -> None:
    study = new_study()
    with pytest.raises(DriverKilledError):
        Executor(study, killed_at("search", 4, 4)).run()
    mirror_of(study).bring_up_to_date(live=False)
    old = runs(study)["search/4"].info.run_id
    run = RunDirectory(study.directory / "trials/4")
    for path in checkpoint_names.generations(run.checkpoints):  # without checkpoints, the run starts from scratch
        path.unlink()
    again = new_study()
    Executor(again).run()
    mirror_of(again).bring_up_to_date(live=False)
    verify_tracking(again.directory)
    assert runs(study)["search/4"].info.run_id != old


def test_a_lost_store_is_filled_again(new_study, mirror_of, empty_tracking_database) -> None:
    study = new_study()
    Executor(study).run()
    mirror_of(study).bring_up_to_date(live=False)
    first = verify_tracking(study.directory)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{study.directory.parent / 'mlflow.db'}")
    for run in runs(study).values():
        client.delete_run(run.info.run_id)
    client.delete_experiment(client.get_experiment_by_name("toy").experiment_id)
    mirror_of(study).bring_up_to_date(live=False)
    assert verify_tracking(study.directory) == first


def test_verify_finds_values_that_no_run_produced(new_study, mirror_of) -> None:
    study = new_study()
    Executor(study).run()
    mirror_of(study).bring_up_to_date(live=False)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{study.directory.parent / 'mlflow.db'}")
    client.log_metric(runs(study)["search/3"].info.run_id, "train/loss", 7.0, step=99)
    with pytest.raises(AssertionError):
        verify_tracking(study.directory)
    mirror = mirror_of(study)
    assert mirror.verify(live=False) == 1
    mirror.bring_up_to_date(live=False)
    verify_tracking(study.directory)


def test_a_duplicate_run_is_deleted(new_study, mirror_of) -> None:
    study = new_study()
    Executor(study).run()
    mirror = mirror_of(study)
    mirror.bring_up_to_date(live=False)
    stored = runs(study)["search/3"]
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{study.directory.parent / 'mlflow.db'}")
    client.create_run(stored.info.experiment_id, stored.info.start_time + 5, dict(stored.data.tags))
    mirror_of(study).bring_up_to_date(live=False)
    verify_tracking(study.directory)
    assert runs(study)["search/3"].info.run_id == stored.info.run_id


def test_two_studies_of_the_same_name_stay_separate(
    new_study, toy, tmp_path, mirror_of, local_tracking, monkeypatch
) -> None:
    from study.state import directory

    study = new_study()
    Executor(study).run()
    other = directory.create(toy(), tmp_path / "elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", local_tracking)
    with directory.open_study(other) as second:
        Executor(second).run()
        for one in (study, second):
            mirror_of(one).bring_up_to_date(live=False)
        verify_tracking(other, local_tracking)
    verify_tracking(study.directory, local_tracking)


def test_the_record_has_the_id_of_each_run(new_study, mirror_of, local_tracking: str) -> None:
    study = new_study()
    assert mlflow_record.read(study.directory) is None
    Executor(study).run()
    mirror_of(study).bring_up_to_date(live=False)
    record = mlflow_record.read(study.directory)
    assert record is not None
    assert record.uri == local_tracking
    assert record.runs == {key: run.info.run_id for key, run in runs(study).items()}


def test_files_of_the_study_are_uploaded_only_when_they_change(new_study, mirror_of, monkeypatch) -> None:
    study = new_study()
    Executor(study).run()
    mirror = mirror_of(study)
    mirror.bring_up_to_date(live=False)
    mirror.upload_files()
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{study.directory.parent / 'mlflow.db'}")
    parent = runs(study)["study"].info.run_id
    found = {file.path for folder in (None, "report") for file in client.list_artifacts(parent, folder)}
    assert {"study.yaml", "best_config.yaml", "report", "report/best_config.md"} <= found
    sent: list[str] = []
    again = mirror_of(study)
    monkeypatch.setattr(again._service, "upload", lambda _, path: sent.append(path.name))
    again.upload_files()
    assert sent == []
    (study.directory / "best_config.yaml").write_text("seed: 1\n")
    again.upload_files()
    assert sent == ["study.yaml", "best_config.yaml", "report"]


def test_a_study_without_trials_gets_no_run(new_study, mirror_of) -> None:
    study = new_study()
    mirror_of(study).bring_up_to_date(live=True)
    assert runs(study) == {}


def test_an_update_after_the_end_adds_no_values(new_study, mirror_of) -> None:
    from study.state import provenance

    study = new_study()
    Executor(study).run()
    mirror_of(study).bring_up_to_date(live=False)
    provenance.note(study.directory, "resume", study.config.digest(), [])  # a resume without anything left to run
    mirror_of(study).bring_up_to_date(live=False)
    service = mirror_of(study)._service
    parent = runs(study)["study"]
    for metric in ("winner/validation/top1_error", "winner/test/top1_error"):
        assert len(service.points_of(parent.info.run_id, [metric])) == 1
