"""Keeps MLflow in step with a running study from a separate thread, so that a failing MLflow never affects the study.

The thread reads the study's database and keeps no state that could be lost. While MLflow does not answer, it retries
with increasing pauses; afterwards it sends everything that is missing.
"""

from __future__ import annotations

import gc
import math
import threading
import time
from typing import TYPE_CHECKING

from study.definition.tracking_address import tracking_uri
from study.state import mlflow_record
from study.state.directory import open_study
from trainables.errors import CskdError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from study.state.directory import OpenStudy
    from study.tracking.mlflow_client import TrackingService
    from study.tracking.reconciler import Mirror

PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 30.0
PATIENCE_SECONDS = 10.0
LAST_TRIES = 4
LAST_SECONDS = 3.0  # limit for the last update of a driver that was asked to stop


def tracked_at(study: OpenStudy) -> str:
    """Returns the tracking URI of a study: from the environment, the study file, its record, or its storage folder."""
    record = mlflow_record.read(study.directory)
    return tracking_uri(study.config.tracking.uri, record.uri if record else None, study.directory.parent)


def open_mirror(study: OpenStudy, on_response: Callable[[], None] = lambda: None) -> Mirror:
    """Connects to a study's MLflow and reads the runs that it stores.

    Args:
        study: Open study.
        on_response: Function that is called after each response of MLflow.

    Raises:
        ServiceError: MLflow does not answer, or refuses a request.
    """
    from study.tracking.reconciler import Mirror

    return Mirror(study, connect(study, on_response))


def connect(study: OpenStudy, on_response: Callable[[], None] = lambda: None) -> TrackingService:
    """Connects to a study's MLflow.

    Args:
        study: Open study.
        on_response: Function that is called after each response of MLflow.

    Raises:
        ServiceError: MLflow does not answer, or refuses a request.
    """
    from study.tracking.mlflow_client import TrackingService

    artifacts = study.directory.parent / "mlartifacts"
    return TrackingService(tracked_at(study), artifacts, study.config.name, on_response)


def _load() -> None:
    """Imports MLflow, and excludes all loaded objects from garbage collection.

    Otherwise each full collection would visit hundreds of thousands of permanent objects and stop the driver for some
    tenths of a second.
    """
    from study.tracking import mlflow_client

    mlflow_client.load()
    gc.collect()
    gc.freeze()


class Tracker:
    """Thread that keeps MLflow in step with a study, and its interface for the driver.

    Args:
        directory: The study directory; the thread opens the study itself.
        say: Function that writes a line for the user.
        enabled: Whether the study is tracked; if not, the tracker does nothing.
    """

    def __init__(self, directory: Path, say: Callable[[str], None], *, enabled: bool = True) -> None:
        self._directory = directory
        self._say = say
        self._enabled = enabled
        self._condition = threading.Condition()
        self._asked = self._answered = 0
        self._started = threading.Event()
        self._live = True
        self._ending = False
        self._failures = 0
        self._signs_of_life = 0  # responses of MLflow and failed attempts
        self._mirror: Mirror | None = None
        self._thread = threading.Thread(target=self._follow, name="tracking", daemon=True)

    def start(self) -> None:
        """Starts to update MLflow; until then, the thread only imports MLflow."""
        self._started.set()

    def catch_up(self, patience: float, limit: float = math.inf) -> bool:
        """Waits until MLflow is up to date.

        Args:
            patience: Longest time in seconds to wait for a response of MLflow.
            limit: Longest time in seconds to wait in all.

        Returns:
            Whether MLflow is up to date. False after a timeout or several failed attempts.
        """
        if not self._thread.is_alive():
            return False
        end = time.monotonic() + limit
        with self._condition:
            self._asked += 1
            self._condition.notify_all()
            return self._wait_for_answer(self._asked, patience, end)

    def _wait_for_answer(self, wanted: int, patience: float, end: float) -> bool:
        failures = self._failures
        while self._answered < wanted:
            progressed = self._condition.wait_for(self._has_progressed(wanted), min(patience, end - time.monotonic()))
            if not progressed or self._failures - failures >= LAST_TRIES:
                return False
        return True

    def _has_progressed(self, wanted: int) -> Callable[[], bool]:
        before = self._signs_of_life
        return lambda: self._answered >= wanted or self._signs_of_life != before

    def end(self, patience: float = PATIENCE_SECONDS, limit: float = math.inf) -> None:
        """Sends the last states and files, then ends the thread; tells the user if MLflow is not up to date."""
        if self._ending or not self._started.is_set() or not self._thread.is_alive():
            self._ending = True
            self._started.set()
            return
        self._live = False
        complete = self.catch_up(patience, limit)
        with self._condition:
            self._ending = True
            self._condition.notify_all()
        if not complete:
            self._say(f"MLflow is not up to date; `cskd sync {self._directory}` sends the rest")

    def __enter__(self) -> Tracker:
        if self._enabled:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(limit=LAST_SECONDS)

    def _follow(self) -> None:
        try:
            _load()
            self._started.wait()
            if self._ending:
                return
            with open_study(self._directory) as study:
                while (asked := self._next_round()) is not None:
                    if self._update(study):
                        self._answer(asked)
        except Exception as error:  # the study's database does not open; a tracking error must not end the study
            self._failed(error)

    def _next_round(self) -> int | None:
        """Waits for the next update; returns the number of requests so far, or None at the end."""
        pause = min(PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
        with self._condition:
            if self._failures and self._asked > self._answered:  # the driver is waiting
                self._condition.wait_for(lambda: self._ending, PAUSE_SECONDS / 4)
            else:
                self._condition.wait_for(lambda: self._ending or self._asked > self._answered, pause)
            return None if self._ending else self._asked

    def _update(self, study: OpenStudy) -> bool:
        """Updates MLflow; returns whether that succeeded."""
        try:
            if self._mirror is None:
                self._mirror = open_mirror(study, self._note_sign_of_life)
            self._mirror.bring_up_to_date(live=self._live)
            if not self._live:
                self._mirror.upload_files()
        except Exception as error:  # a tracking error must not end the study
            self._mirror = None  # what MLflow stores is unknown after an error
            self._failed(error)
            return False
        if self._failures:
            self._say("MLflow answers again and is up to date")
        self._failures = 0
        return True

    def _note_sign_of_life(self) -> None:
        with self._condition:
            self._signs_of_life += 1
            self._condition.notify_all()

    def _answer(self, asked: int) -> None:
        with self._condition:
            self._answered = asked
            self._condition.notify_all()

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._note_sign_of_life()
        if self._failures == 1:
            text = str(error) if isinstance(error, CskdError) else f"{type(error).__name__}: {error}"
            self._say(f"{text}; the study continues and updates MLflow later")
