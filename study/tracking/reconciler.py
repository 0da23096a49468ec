"""Synchronizes MLflow with a study's database: reads the stored runs, then adds what is missing.

The tag ``cskd.cursor`` of each run holds the number of its stored values and their digest. With it, the result is the
same runs with each value once after a restart of the driver, the loss of the store, or a request whose response was
lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.words.safe_text import without_password
from study.state.mlflow_record import TrackingRecord
from study.tracking import desired_runs
from study.tracking.desired_runs import STUDY_KEY
from study.tracking.mlflow_client import StoredRun
from trainables.files.durable import digest_of, sha256_of
from trainables.files.faultpoints import faultpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from study.state.directory import OpenStudy
    from study.tracking.desired_runs import Point, TrackedRun
    from study.tracking.mlflow_client import ModelVersion, TrackingService

CURSOR = "cskd.cursor"
FILES = "cskd.files"
PARENT = "mlflow.parentRunId"
ENDED = ("FINISHED", "FAILED", "KILLED")
UPLOADED = ("study.yaml", "best_config.yaml", "report")


class Mirror:
    """Runs of one study in MLflow.

    Args:
        study: Open study.
        service: MLflow service that stores the runs.

    Raises:
        ServiceError: MLflow does not answer, or refuses a request.
    """

    def __init__(self, study: OpenStudy, service: TrackingService) -> None:
        self._study = study
        self._service = service
        self._uri = without_password(service.uri)
        self._stored: dict[str, StoredRun] = {}
        self._settled: set[str] = set()
        self._recorded: dict[str, str] = {}
        self._read_stored_runs()

    def bring_up_to_date(self, *, live: bool) -> None:
        """Adds all changes since the last call.

        Args:
            live: Whether a driver is running the study. If not, unfinished runs are shown as interrupted.

        Raises:
            ServiceError: MLflow does not answer, or refuses a request.
        """
        if not live:  # the last call checks all runs again
            self._settled.clear()
        runs = list(desired_runs.trial_runs(self._study, live=live, without=frozenset(self._settled)))
        if not runs and not self._stored:  # a launch that fails before its first trial creates no run
            return
        parent = self._update(desired_runs.study_run(self._study, live=live), None)
        for run in runs:
            self._update(run, parent)
            if run.status in ENDED and run.tags["cskd.state"] != desired_runs.INTERRUPTED:
                self._settled.add(run.key)
        self._record()

    def upload_files(self) -> None:
        """Uploads report, best configuration and study file to the study's run if they have changed.

        Raises:
            ServiceError: MLflow does not answer, or refuses a request.
        """
        stored = self._stored.get(STUDY_KEY)
        paths = [self._study.directory / name for name in UPLOADED if (self._study.directory / name).exists()]
        digest = _digest_of_files(paths)
        if stored is None or stored.tags.get(FILES) == digest:
            return
        for path in paths:
            self._service.upload(stored.run_id, path)
        self._service.write(stored.run_id, (), {}, {FILES: digest})
        self._stored[STUDY_KEY] = stored._replace(tags={**stored.tags, FILES: digest})

    def register(self, key: str, files: Path, version: ModelVersion) -> str:
        """Uploads a folder as an artifact of a run and registers it as a model version.

        Args:
            key: Key of the run.
            files: Folder to upload.
            version: Model version to register.

        Returns:
            Number of the version.

        Raises:
            ServiceError: MLflow does not answer, or refuses a request.
        """
        return self._service.register(self._stored[key].run_id, files, version)

    def verify(self, *, live: bool) -> int:
        """Compares every stored value with the study's files and deletes runs that differ.

        ``bring_up_to_date`` creates them again.

        Returns:
            Number of deleted runs.
        """
        wrong = [run for run in desired_runs.trial_runs(self._study, live=live) if not self._agrees(run)]
        for run in wrong:
            self._service.delete(self._stored.pop(run.key).run_id)
        return len(wrong)

    def _agrees(self, run: TrackedRun) -> bool:
        stored = self._stored.get(run.key)
        if stored is None:
            return True  # ``bring_up_to_date`` creates it
        metrics = sorted({*self._service.metrics_of(stored.run_id), *(point.metric for point in run.points)})
        return sorted(self._service.points_of(stored.run_id, metrics)) == sorted(run.points)

    def _update(self, run: TrackedRun, parent_id: str | None) -> str:
        """Creates or completes a run; returns its id."""
        stored = self._stored.get(run.key)
        if stored is not None and run.replaceable and not _continues(stored, run):
            self._service.delete(stored.run_id)
            stored = None
        parent = {} if parent_id is None else {PARENT: parent_id}
        if stored is None:
            stored = self._service.create(run, parent)
            faultpoint("mirror: run made, empty")
        self._stored[run.key] = stored
        self._stored[run.key] = self._complete(stored, run, parent)
        return stored.run_id

    def _complete(self, stored: StoredRun, run: TrackedRun, parent: Mapping[str, str]) -> StoredRun:
        """Adds missing values, tags and status; a complete run needs no request."""
        tags = {**run.tags, **parent, CURSOR: _cursor(run.points)}
        if CURSOR not in stored.tags and run.data is not None:
            self._service.set_data(stored.run_id, run.data)
        changed = run.status != stored.status or run.tags["cskd.state"] != stored.tags.get("cskd.state")
        if changed and run.status == "RUNNING" != stored.status:
            self._service.set_status(stored.run_id, run.status, None)
        if any(stored.tags.get(name) != value for name, value in tags.items()):
            begun = int(stored.tags.get(CURSOR, "0:").partition(":")[0]) if run.replaceable else 0
            params = {} if CURSOR in stored.tags else run.params
            self._service.write(stored.run_id, run.points[begun:], params, tags)
            faultpoint("mirror: values written, state not")
        if changed and run.status != "RUNNING":
            self._service.set_status(stored.run_id, run.status, run.end)
        return StoredRun(stored.run_id, run.status, {**stored.tags, **tags})

    def _read_stored_runs(self) -> None:
        """Reads the runs that MLflow stores, and deletes duplicates.

        A server that carries out a request after the client's timeout creates a duplicate. Of two runs with the same
        key, the one with values is kept, otherwise the older one.
        """
        runs = self._service.runs_of(self._study.identity)
        for run in sorted(runs, key=lambda run: CURSOR not in run.tags):
            if self._stored.setdefault(run.tags["cskd.run"], run) is not run:
                self._service.delete(run.run_id)

    def _record(self) -> None:
        runs = {key: stored.run_id for key, stored in self._stored.items()}
        if runs != self._recorded:
            TrackingRecord(self._uri, self._service.experiment_id, runs).write(self._study.directory)
            self._recorded = runs


def _continues(stored: StoredRun, run: TrackedRun) -> bool:
    """Whether the stored values are a prefix of the desired ones."""
    count, _, digest = stored.tags.get(CURSOR, "0:").partition(":")
    return count == "0" or _cursor(run.points[: int(count)]) == f"{count}:{digest}"


def _cursor(points: Sequence[Point]) -> str:
    return f"{len(points)}:{digest_of([list(point) for point in points]) if points else ''}"


def _digest_of_files(paths: Sequence[Path]) -> str:
    files = {
        str(file.relative_to(path.parent)): sha256_of(file.read_bytes())
        for path in paths
        for file in (path, *path.rglob("*"))
        if file.is_file()
    }
    return digest_of(files)
