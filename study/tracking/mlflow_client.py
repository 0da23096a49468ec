"""Client for MLflow; the only module that imports it."""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.tables.table import escape
from analysis.words.safe_text import without_password
from study.errors import ServiceError
from study.machine.mlflow_server import MLFLOW_SETTINGS
from study.tracking import sqlite_store
from study.tracking.desired_runs import Point, milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from study.tracking.desired_runs import DataUsed, Status, TrackedRun

VALUES_PER_REQUEST = 800  # MLflow takes 1,000 values, parameters and tags together
RUNS_PER_PAGE = 1_000
LONGEST_REASON = 300


def load() -> None:
    """Imports MLflow, which takes one or two seconds; otherwise the first connection does."""
    for name, value in MLFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - the default store, which MLflow imports lazily

    logging.getLogger("mlflow").setLevel(logging.ERROR)  # MLflow logs the creation of its tables


class StoredRun(NamedTuple):
    """A run that MLflow stores."""

    run_id: str
    status: str
    tags: Mapping[str, str]


class ModelVersion(NamedTuple):
    """A model version to register.

    Attributes:
        name: Name of the model.
        alias: Alias that will point to the version; None sets no alias.
        tags: Tags that distinguish the version from others of the same run.
        description: Text of the version's page.
    """

    name: str
    alias: str | None
    tags: Mapping[str, str]
    description: str


class TrackingService:
    """An MLflow server or database, and one experiment in it.

    Every method raises ``ServiceError`` if MLflow does not answer or refuses the request.

    Args:
        uri: URI of the server or database.
        artifacts: Folder for the files of runs; ignored if MLflow is a server, which has its own place for them.
        experiment: Name of the experiment, created if missing. The environment variables ``MLFLOW_EXPERIMENT_ID`` and
            ``MLFLOW_EXPERIMENT_NAME`` take precedence.
        on_response: Function that is called after each response.

    Raises:
        ServiceError: MLflow does not answer, or refuses the request.
    """

    def __init__(self, uri: str, artifacts: Path, experiment: str, on_response: Callable[[], None]) -> None:
        self.uri = uri
        self._on_response = on_response
        with self._translated():
            sqlite_store.ensure(uri)
            load()
            from mlflow import MlflowClient

            self._client = MlflowClient(uri, os.environ.get("MLFLOW_REGISTRY_URI") or uri)
            location = None if uri.startswith("http") else artifacts.as_uri()
            self.experiment_id = self._experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or experiment, location)

    def runs_of(self, study_id: str) -> list[StoredRun]:
        """Returns all runs of a study, oldest first."""
        found = self._search(f"tags.`cskd.study_id` = '{study_id}'")
        return [StoredRun(run.info.run_id, run.info.status, dict(run.data.tags)) for run in found]

    def create(self, run: TrackedRun, more_tags: Mapping[str, str]) -> StoredRun:
        """Creates a run with its tags."""
        tags = {"mlflow.user": _user(), **run.tags, **more_tags}
        with self._translated():
            made = self._client.create_run(self.experiment_id, start_time=milliseconds(run.start), tags=tags)
        return StoredRun(made.info.run_id, made.info.status, dict(made.data.tags))

    def write(self, run_id: str, points: Sequence[Point], params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Adds values, parameters and tags to a run; writing the same ones again has no effect.

        The tags are written last, so that they never describe values that are missing.
        """
        from mlflow.entities import Metric, Param, RunTag

        metrics = [Metric(p.metric, p.value, p.time, p.step) for p in points]
        whole = len(metrics) - len(metrics) % VALUES_PER_REQUEST
        with self._translated():
            for start in range(0, whole, VALUES_PER_REQUEST):
                self._client.log_batch(run_id, metrics=metrics[start : start + VALUES_PER_REQUEST])
            self._client.log_batch(
                run_id,
                metrics=metrics[whole:],
                params=[Param(name, value) for name, value in params.items()],
                tags=[RunTag(name, value) for name, value in tags.items()],
            )

    def set_data(self, run_id: str, data: DataUsed) -> None:
        """Records the data set that a run trains on."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(data.name, data.digest, "cskd", "{}")
        with self._translated():
            self._client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", data.context)])])

    def set_status(self, run_id: str, status: Status, end: float | None) -> None:
        """Ends a run, or reopens it if the status is ``RUNNING``; ``end`` is in seconds since 1970."""
        with self._translated():
            if status == "RUNNING":
                self._client.update_run(run_id, status)
            else:
                self._client.set_terminated(run_id, status, None if end is None else milliseconds(end))

    def points_of(self, run_id: str, metrics: Sequence[str]) -> list[Point]:
        """Returns all stored values of the given metrics of a run."""
        with self._translated():
            return [
                Point(found.key, found.value, found.step, found.timestamp)
                for metric in metrics
                for found in self._client.get_metric_history(run_id, metric)
            ]

    def metrics_of(self, run_id: str) -> dict[str, float]:
        """Returns the last value of each metric of a run."""
        with self._translated():
            return dict(self._client.get_run(run_id).data.metrics)

    def upload(self, run_id: str, path: Path) -> None:
        """Uploads a file, or a folder under its name, to the artifacts of a run."""
        with self._translated():
            if path.is_dir():
                self._client.log_artifacts(run_id, str(path), path.name)
            else:
                self._client.log_artifact(run_id, str(path))

    def register(self, run_id: str, files: Path, wanted: ModelVersion) -> str:
        """Uploads a folder to the artifacts of a run and registers it as a model version, unless it is registered.

        Returns:
            Number of the version.
        """
        with self._translated():
            self._ensure_model(wanted.name)
            found = self._version(run_id, wanted)
            if found is None:
                self._client.log_artifacts(run_id, str(files), files.name)
                source = f"{self._client.get_run(run_id).info.artifact_uri}/{files.name}"
                made = self._client.create_model_version(
                    wanted.name, source, run_id, tags=dict(wanted.tags), description=wanted.description
                )
                found = str(made.version)
            if wanted.alias is not None:
                self._client.set_registered_model_alias(wanted.name, wanted.alias, found)
        return found

    def delete(self, run_id: str) -> None:
        """Deletes a run; MLflow only marks it as deleted."""
        with self._translated():
            self._client.delete_run(run_id)

    def _ensure_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _version(self, run_id: str, wanted: ModelVersion) -> str | None:
        """Returns the number of the run's version with the wanted tags, or None."""
        for version in self._client.search_model_versions(f"run_id = '{run_id}'"):
            if version.name == wanted.name and wanted.tags.items() <= version.tags.items():
                return str(version.version)
        return None

    def _experiment(self, name: str, location: str | None) -> str:
        if given := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return given
        found = self._client.get_experiment_by_name(name)
        if found is None:
            return str(self._client.create_experiment(name, artifact_location=location))
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _search(self, filter_string: str) -> Iterator[Any]:
        token = None
        while True:
            with self._translated():
                page = self._client.search_runs(
                    [self.experiment_id],
                    filter_string,
                    max_results=RUNS_PER_PAGE,
                    order_by=["attributes.start_time ASC"],
                    page_token=token,
                )
            yield from page
            token = page.token
            if not token:
                return

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns every error of MLflow, its database or the network into a ``ServiceError`` without passwords."""
        try:
            yield
            self._on_response()
        except ServiceError:
            raise
        except Exception as error:  # MLflow passes on errors of urllib3, SQLAlchemy, boto and others
            raise ServiceError(f"MLflow at {without_password(self.uri)}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Returns the operating system's message of the root cause, or else the first line of the error."""
    messages = [
        cause.strerror or str(cause) for cause in _causes(error) if type(cause).__module__ in ("builtins", "socket")
    ]
    lines = (messages[-1] if messages else str(error)).strip().splitlines() or [type(error).__name__]
    return escape(without_password(lines[0]))[:LONGEST_REASON]


def _causes(error: BaseException | None) -> Iterator[OSError]:
    while error is not None:
        if isinstance(error, OSError):
            yield error
        error = error.__cause__ or error.__context__


def _user() -> str:
    try:
        return getpass.getuser()
    except OSError:  # the user of a container may have no name
        return "unknown"
