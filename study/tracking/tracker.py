"""Keeps MLflow up with a running study, from a thread of its own: a slow, dead or full MLflow never reaches the study.

The thread reads the study's truth and holds nothing that could be lost. While MLflow does not answer, it waits longer
each time; when it is back, all that it missed is sent.
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

    from study.state.directory import Study
    from study.tracking.mirror import Mirror
    from study.tracking.mlflow_client import TrackingService

PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 30.0
PATIENCE_SECONDS = 10.0
LAST_TRIES = 4
LAST_SECONDS = 3.0  # for a driver that was told to stop


def tracked_at(study: Study) -> str:
    """Where a study is tracked: by the environment, its study file, as before, or below its storage folder."""
    record = mlflow_record.read(study.directory)
    return tracking_uri(study.config.tracking.uri, record.uri if record else None, study.directory.parent)


def open_mirror(study: Study, heard: Callable[[], None] = lambda: None) -> Mirror:
    """Connects to the MLflow that shows a study.

    Args:
        study: An open study.
        heard: Called after each answer of MLflow.

    Raises:
        ServiceError: It does not answer, or refuses.
    """
    from study.tracking.mirror import Mirror

    return Mirror(study, connect(study, heard))


def connect(study: Study, heard: Callable[[], None] = lambda: None) -> TrackingService:
    """The MLflow that shows a study; arguments and errors as of ``open_mirror``."""
    from study.tracking.mlflow_client import TrackingService

    artifacts = study.directory.parent / "mlartifacts"
    return TrackingService(tracked_at(study), artifacts, study.config.name, heard)


def _load() -> None:
    """Loads MLflow, and takes all that is loaded out of the garbage collector's sight.

    A full collection would otherwise go through hundreds of thousands of objects that stay for good, for some tenths of
    a second in which the driver stands still.
    """
    from study.tracking import mlflow_client

    mlflow_client.load()
    gc.collect()
    gc.freeze()


class Tracker:
    """The thread, and what the driver asks of it.

    Args:
        directory: The study directory; the thread opens the study for itself.
        say: Writes a line for the user.
        enabled: False does nothing, for studies that are not shown.
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
        self._heard = 0  # answers of MLflow, and tries without one
        self._mirror: Mirror | None = None
        self._thread = threading.Thread(target=self._follow, name="tracking", daemon=True)

    def start(self) -> None:
        """Begins to follow the study; before, the thread only loads MLflow, and nothing is made."""
        self._started.set()

    def catch_up(self, patience: float, limit: float = math.inf) -> bool:
        """Waits until MLflow has all that has happened so far.

        Args:
            patience: Seconds without any answer of MLflow after which it is given up.
            limit: Seconds after which it is given up in any case.

        Returns:
            Whether MLflow has all. False also after some tries in a row that failed at once.
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
            news = self._condition.wait_for(self._news(wanted), min(patience, end - time.monotonic()))
            if not news or self._failures - failures >= LAST_TRIES:
                return False
        return True

    def _news(self, wanted: int) -> Callable[[], bool]:
        heard = self._heard
        return lambda: self._answered >= wanted or self._heard != heard

    def end(self, patience: float = PATIENCE_SECONDS, limit: float = math.inf) -> None:
        """Sends the last states and files, then stops following; says so when MLflow lacks something."""
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
            self._say(f"MLflow has not been told everything yet; `cskd sync {self._directory}` sends the rest")

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
                    if self._went_well(study):
                        self._answer(asked)
        except Exception as error:  # as below; here it is the study's own database that does not open
            self._failed(error)

    def _next_round(self) -> int | None:
        """Waits until something is to do; None when nothing will be."""
        pause = min(PAUSE_SECONDS * 2**self._failures, LONGEST_PAUSE_SECONDS)
        with self._condition:
            if self._failures and self._asked > self._answered:  # somebody waits for it
                self._condition.wait_for(lambda: self._ending, PAUSE_SECONDS / 4)
            else:
                self._condition.wait_for(lambda: self._ending or self._asked > self._answered, pause)
            return None if self._ending else self._asked

    def _went_well(self, study: Study) -> bool:
        try:
            if self._mirror is None:
                self._mirror = open_mirror(study, self._hear)
            self._mirror.bring_up_to_date(live=self._live)
            if not self._live:
                self._mirror.upload_files()
        except Exception as error:  # a study must not end because it cannot be shown
            self._mirror = None  # what MLflow has by now is not known any more
            self._failed(error)
            return False
        if self._failures:
            self._say("MLflow answers again and has been told what it missed")
        self._failures = 0
        return True

    def _hear(self) -> None:
        with self._condition:
            self._heard += 1
            self._condition.notify_all()

    def _answer(self, asked: int) -> None:
        with self._condition:
            self._answered = asked
            self._condition.notify_all()

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._hear()
        if self._failures == 1:
            text = str(error) if isinstance(error, CskdError) else f"{type(error).__name__}: {error}"
            self._say(f"{text}; the study goes on, MLflow is told later")
