"""Tests of the MLflow client with a real database."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from study.errors import ServiceError
from study.tracking.desired_runs import DataUsed, Point, TrackedRun
from study.tracking.mlflow_client import VALUES_PER_REQUEST, TrackingService


@pytest.fixture
def service(local_tracking: str, tmp_path: Path) -> TrackingService:
    return TrackingService(local_tracking, tmp_path / "mlartifacts", "some study", lambda: None)


def run(key: str = "search/0", **more: object) -> TrackedRun:
    tags = {"cskd.study_id": "abc", "cskd.run": key, "mlflow.runName": key}
    return TrackedRun(key, "RUNNING", 1000.5, None, {}, tags, (), None, **more)


def test_runs_are_found_by_their_study(service: TrackingService) -> None:
    made = service.create(run(), {"mlflow.parentRunId": "p"})
    assert service.runs_of("other") == []
    (found,) = service.runs_of("abc")
    assert (found.run_id, found.status) == (made.run_id, "RUNNING")
    assert found.tags["mlflow.parentRunId"] == "p"


def test_values_sent_twice_are_stored_once(service: TrackingService) -> None:
    run_id = service.create(run(), {}).run_id
    points = [Point("train/loss", 1 / n, n, 1_000_000 + n) for n in range(1, 2 * VALUES_PER_REQUEST + 7)]
    for _ in range(2):
        service.write(run_id, points, {"temperature": "4.0"}, {"cskd.cursor": "1"})
    assert sorted(service.points_of(run_id, ["train/loss"])) == sorted(points)
    assert service.metrics_of(run_id) == {"train/loss": points[-1].value}


def test_set_status_ends_and_reopens_a_run(service: TrackingService) -> None:
    from mlflow import MlflowClient

    run_id = service.create(run(), {}).run_id
    service.set_status(run_id, "KILLED", 1002.25)
    info = MlflowClient(service.uri).get_run(run_id).info
    assert (info.status, info.start_time, info.end_time) == ("KILLED", 1_000_500, 1_002_250)
    service.set_status(run_id, "RUNNING", None)
    assert MlflowClient(service.uri).get_run(run_id).info.status == "RUNNING"


def test_data_recorded_twice_is_stored_once(service: TrackingService) -> None:
    from mlflow import MlflowClient

    run_id = service.create(run(), {}).run_id
    for _ in range(2):
        service.set_data(run_id, DataUsed("digits", "0123", "training (full)"))
    (used,) = MlflowClient(service.uri).get_run(run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest, used.tags[0].value) == ("digits", "0123", "training (full)")


def test_a_deleted_experiment_is_restored(service: TrackingService, local_tracking: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    service.delete(service.create(run(), {}).run_id)
    assert service.runs_of("abc") == []
    MlflowClient(local_tracking).delete_experiment(service.experiment_id)
    again = TrackingService(local_tracking, tmp_path, "some study", lambda: None)
    assert again.experiment_id == service.experiment_id
    again.create(run(), {})


def test_the_experiment_of_the_environment_takes_precedence(
    local_tracking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    named = TrackingService(local_tracking, tmp_path, "some study", lambda: None)
    assert MlflowClient(local_tracking).get_experiment_by_name("mine").experiment_id == named.experiment_id
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    assert TrackingService(local_tracking, tmp_path, "some study", lambda: None).experiment_id == "0"


def test_files_are_stored_in_the_storage_folder_from_any_working_directory(
    local_tracking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    service = TrackingService(local_tracking, tmp_path / "with space & %41", "s", lambda: None)
    run_id = service.create(run(), {}).run_id
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "report").mkdir()
    (tmp_path / "report/index.html").write_text("b")
    for name in ("a.txt", "report"):
        service.upload(run_id, tmp_path / name)
    stored = {path.name for path in (tmp_path / "with space & %41").rglob("*") if path.is_file()}
    assert stored == {"a.txt", "index.html"}
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("http://127.0.0.1:9", "MLflow at http://127.0.0.1:9: Connection refused"),
        ("http://me:canary@127.0.0.1:9", "MLflow at http://…@127.0.0.1:9: Connection refused"),
        ("sqlite:////proc/none/mlflow.db", "MLflow's database /proc/none/mlflow.db cannot be created: "),
    ],
)
def test_an_unreachable_service_is_reported_in_one_line_without_a_password(
    uri: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ServiceError) as raised:
        TrackingService(uri, tmp_path, "s", lambda: None)
    assert str(raised.value).startswith(message)
    assert "canary" not in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_on_response_is_called_for_every_response(local_tracking: str, tmp_path: Path) -> None:
    responses = SimpleNamespace(count=0)

    def on_response() -> None:
        responses.count += 1

    service = TrackingService(local_tracking, tmp_path, "s", on_response)
    before = responses.count
    service.create(run(), {})
    assert responses.count == before + 1
