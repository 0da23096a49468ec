"""Ray Tune searcher that returns the dispatcher's runs."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ray.tune.search import Searcher

from study.cluster.placement import EXCLUDED_NODES
from trainables.tune import METRICS_PREFIX

if TYPE_CHECKING:
    from study.cluster.exclusion import Exclusion
    from study.cluster.requirements import Requirements
    from study.driver.dispatcher import Dispatcher
    from study.search.pruning import Pruner


class StudySearcher(Searcher):  # type: ignore[misc]
    """Maps Ray's trial ids to phase, number and attempt.

    A retried trial is a new trial to Ray. Ray pickles searchers into its own files; this one pickles no study
    data, because those files are disposable and must not contain secrets.

    Args:
        dispatcher: Dispatcher of the study.
        pruner: Pruner that ends search trials early; None without a scheduler that stops runs.
        exclusion: Record of the excluded nodes; None on a single machine.
        requirements: Requirements that each run's node must meet; None on a single machine.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        pruner: Pruner | None = None,
        exclusion: Exclusion | None = None,
        requirements: Requirements | None = None,
    ) -> None:
        super().__init__()
        self.error: Exception | None = None
        self._dispatcher: Dispatcher | None = dispatcher
        self._pruner = pruner
        self._exclusion = exclusion
        self._requirements = requirements
        self._refused: dict[str, str] = {}
        self._runs: dict[str, tuple[str, int, int]] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Returns the next run as Ray's configuration; None if none can start now, ``FINISHED`` after the last."""
        assert self._dispatcher is not None  # noqa: S101 - None only in Ray's pickled copy
        with self._kept_from_ray():
            assignment = self._dispatcher.next()
        if self.error is not None:
            return str(Searcher.FINISHED)
        if assignment is None:
            return str(Searcher.FINISHED) if self._dispatcher.finished else None
        self._runs[trial_id] = (assignment.phase, assignment.number, assignment.attempt)
        excluded = () if self._exclusion is None else self._exclusion.excluded
        return {
            "assignment": assignment,
            "phase": assignment.phase,
            "requirements": self._requirements,
            EXCLUDED_NODES: excluded,
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Reports an epoch to the dispatcher."""
        assert self._dispatcher is not None  # noqa: S101
        with self._kept_from_ray():
            self._dispatcher.report(*self._runs[trial_id], result["epoch"], _metrics_of(result))

    def run_of(self, trial_id: str) -> tuple[str, int]:
        """Returns phase and number of a run that has not ended."""
        return self._runs[trial_id][:2]

    def stops(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether a run ends with this epoch; Ray calls this before ``on_trial_result``."""
        phase, number, _ = self._runs[trial_id]
        if self._pruner is not None and phase == "search":
            with self._kept_from_ray():
                return self._pruner.stops(number, result["epoch"], _metrics_of(result))
        return False

    def refused(self, trial_id: str, why: str) -> None:
        """Records why a node refused a run; ``on_trial_complete`` follows."""
        self._refused[trial_id] = why

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Reports the end of a run to the dispatcher, which reads the outcome from the run directory."""
        del result
        assert self._dispatcher is not None  # noqa: S101
        with self._kept_from_ray():
            self._dispatcher.ended(*self._runs.pop(trial_id), error=error, refused=self._refused.pop(trial_id, None))

    @contextlib.contextmanager
    def _kept_from_ray(self) -> Iterator[None]:
        """Stores an error, such as a full disk, for the runner: Ray would wrap it in an error of its own."""
        if self.error is None:
            try:
                yield
            except Exception as error:  # the runner raises it again
                self.error = error
                os.kill(os.getpid(), signal.SIGUSR1)  # Ray Tune's request to end the run
        else:
            with contextlib.suppress(Exception):
                yield

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: the study's state is in its database, not in Ray's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing: a study resumes from its own directory."""

    def __getstate__(self) -> dict[str, Any]:
        """Returns the state without references to the database."""
        return {"_dispatcher": None, "_pruner": None, "_exclusion": None, "_runs": {}, "error": None}


def _metrics_of(result: dict[str, Any]) -> dict[str, float]:
    return {key.removeprefix(METRICS_PREFIX): x for key, x in result.items() if key.startswith(METRICS_PREFIX)}
