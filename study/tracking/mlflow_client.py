"""The one door to MLflow: experiments, runs, values and files, in the words of ``study/tracking/desired_runs.py``."""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.tables.table import escape
from study.errors import ServiceError, without_password
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
    """Loads MLflow, which takes a second or two; otherwise the first connection does."""
    for name, value in MLFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - the default store, which MLflow loads when it is used

    logging.getLogger("mlflow").setLevel(logging.ERROR)  # MLflow tells how it makes its tables


class StoredRun(NamedTuple):
    """A run as MLflow has it."""

    run_id: str
    status: str
    tags: Mapping[str, str]


class ModelVersion(NamedTuple):
    """What is registered of a run.

    Attributes:
        name: Of the model.
        alias: That shall point to the version; None for none.
        tags: That tell the version from others of the run.
        description: For its page.
    """

    name: str
    alias: str | None
    tags: Mapping[str, str]
    description: str


class TrackingService:
    """An MLflow server or database, and one experiment there.

    Args:
        uri: Of the server or database.
        artifacts: Folder for the files of runs; a server of its own decides itself where they lie.
        experiment: Its name; made when missing. ``MLFLOW_EXPERIMENT_ID`` and ``MLFLOW_EXPERIMENT_NAME`` win.
        heard: Called after each answer.

    Raises:
        ServiceError: It does not answer, or refuses.
    """

    def __init__(self, uri: str, artifacts: Path, experiment: str, heard: Callable[[], None]) -> None:
        self.uri = uri
        self._heard = heard
        with self._translated():
            sqlite_store.ensure(uri)
            load()
            from mlflow import MlflowClient

            self._client = MlflowClient(uri, os.environ.get("MLFLOW_REGISTRY_URI") or uri)
            location = None if uri.startswith("http") else artifacts.as_uri()
            self.experiment_id = self._experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME") or experiment, location)

    def runs_of(self, study_id: str) -> list[StoredRun]:
        """All runs of a study, the oldest first."""
        found = self._search(f"tags.`cskd.study_id` = '{study_id}'")
        return [StoredRun(run.info.run_id, run.info.status, dict(run.data.tags)) for run in found]

    def create(self, run: TrackedRun, more_tags: Mapping[str, str]) -> StoredRun:
        """Makes a run with its tags."""
        tags = {"mlflow.user": _user(), **run.tags, **more_tags}
        with self._translated():
            made = self._client.create_run(self.experiment_id, start_time=milliseconds(run.start), tags=tags)
        return StoredRun(made.info.run_id, made.info.status, dict(made.data.tags))

    def write(self, run_id: str, points: Sequence[Point], params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Adds values, parameters and tags; the tags come last, so that they can say what is there.

        What is there already is not written twice, provided that it is the same.
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
        """Notes the data set that a run trains on."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(data.name, data.digest, "cskd", "{}")
        with self._translated():
            self._client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", data.context)])])

    def set_status(self, run_id: str, status: Status, end: float | None) -> None:
        """Ends a run, or opens it again."""
        with self._translated():
            if status == "RUNNING":
                self._client.update_run(run_id, status)
            else:
                self._client.set_terminated(run_id, status, None if end is None else milliseconds(end))

    def points_of(self, run_id: str, metrics: Sequence[str]) -> list[Point]:
        """All values of the given metrics that MLflow has for a run."""
        with self._translated():
            return [
                Point(found.key, found.value, found.step, found.timestamp)
                for metric in metrics
                for found in self._client.get_metric_history(run_id, metric)
            ]

    def metrics_of(self, run_id: str) -> dict[str, float]:
        """The last value of each metric of a run."""
        with self._translated():
            return dict(self._client.get_run(run_id).data.metrics)

    def upload(self, run_id: str, path: Path) -> None:
        """Adds a file, or a folder under its name, to the artifacts of a run."""
        with self._translated():
            if path.is_dir():
                self._client.log_artifacts(run_id, str(path), path.name)
            else:
                self._client.log_artifact(run_id, str(path))

    def register(self, run_id: str, files: Path, wanted: ModelVersion) -> str:
        """Adds a folder to the artifacts of a run and registers it as a version of a model, unless it is one already.

        Returns:
            The number of the version.
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
        """Deletes a run; MLflow keeps it in its bin."""
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
        """The version of a run that has the wanted tags; None where there is none."""
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
        """Whatever MLflow, its database or the network raise becomes one line without a password."""
        try:
            yield
            self._heard()
        except ServiceError:
            raise
        except Exception as error:  # MLflow lets through what urllib3, SQLAlchemy, boto and others raise
            raise ServiceError(f"MLflow at {without_password(self.uri)}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """What is at the bottom of an error: the words of the operating system where it had some, else the first line."""
    said = [
        cause.strerror or str(cause) for cause in _causes(error) if type(cause).__module__ in ("builtins", "socket")
    ]
    lines = (said[-1] if said else str(error)).strip().splitlines() or [type(error).__name__]
    return escape(without_password(lines[0]))[:LONGEST_REASON]


def _causes(error: BaseException | None) -> Iterator[OSError]:
    while error is not None:
        if isinstance(error, OSError):
            yield error
        error = error.__cause__ or error.__context__


def _user() -> str:
    try:
        return getpass.getuser()
    except OSError:  # a container's user may have no name
        return "unknown"
