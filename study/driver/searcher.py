"""The study as Ray Tune sees it: a searcher that hands out the dispatcher's runs."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ray.tune.search import Searcher

from study.cluster.placement import LEFT_OUT
from trainables.tune import METRICS_PREFIX

if TYPE_CHECKING:
    from study.cluster.exclusion import Exclusion
    from study.cluster.requirements import Demands
    from study.driver.dispatcher import Dispatcher
    from study.search.pruning import Pruner


class StudySearcher(Searcher):  # type: ignore[misc]
    """Translates between Ray's trial ids and ours: a number and an attempt.

    A trial that is tried again is a new trial to Ray. Ray pickles searchers into its own files; this one leaves nothing
    there, for those files are disposable and must hold no secret.

    Args:
        dispatcher: Decides what runs.
        pruner: Decides which search trials end early; None where no scheduler does.
        exclusion: Knows the nodes that get no more runs; None where there is one machine.
        demands: What each run asks of its node; None where there is one machine.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        pruner: Pruner | None = None,
        exclusion: Exclusion | None = None,
        demands: Demands | None = None,
    ) -> None:
        super().__init__()
        self.error: Exception | None = None
        self._dispatcher: Dispatcher | None = dispatcher
        self._pruner = pruner
        self._exclusion = exclusion
        self._demands = demands
        self._refused: dict[str, str] = {}
        self._runs: dict[str, tuple[str, int, int]] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next run as Ray's configuration; ``FINISHED`` when no more will come."""
        assert self._dispatcher is not None  # noqa: S101 - None only in Ray's pickled copy
        with self._kept_from_ray():
            assignment = self._dispatcher.next()
        if self.error is not None:
            return str(Searcher.FINISHED)
        if assignment is None:
            return str(Searcher.FINISHED) if self._dispatcher.finished else None
        self._runs[trial_id] = (assignment.phase, assignment.number, assignment.attempt)
        left_out = () if self._exclusion is None else self._exclusion.left_out
        return {
            "assignment": assignment,
            "phase": assignment.phase,
            "demands": self._demands,
            LEFT_OUT: left_out,
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Passes an epoch on."""
        assert self._dispatcher is not None  # noqa: S101
        with self._kept_from_ray():
            self._dispatcher.report(*self._runs[trial_id], result["epoch"], _metrics_of(result))

    def run_of(self, trial_id: str) -> tuple[str, int]:
        """Phase and number of a run that has not ended."""
        return self._runs[trial_id][:2]

    def stops(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether a run ends with this epoch, which Ray reports here before ``on_trial_result``."""
        phase, number, _ = self._runs[trial_id]
        if self._pruner is not None and phase == "search":
            with self._kept_from_ray():
                return self._pruner.stops(number, result["epoch"], _metrics_of(result))
        return False

    def refused(self, trial_id: str, why: str) -> None:
        """The node of a run was not fit for it; ``on_trial_complete`` follows."""
        self._refused[trial_id] = why

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Passes the end of a run on; what became of it is in its directory."""
        del result
        assert self._dispatcher is not None  # noqa: S101
        with self._kept_from_ray():
            self._dispatcher.ended(*self._runs.pop(trial_id), error=error, refused=self._refused.pop(trial_id, None))

    @contextlib.contextmanager
    def _kept_from_ray(self) -> Iterator[None]:
        """Keeps an error of ours, such as a full disk, for the runner: Ray would bury it in one of its own."""
        if self.error is None:
            try:
                yield
            except Exception as error:  # raised again by the runner
                self.error = error
                os.kill(os.getpid(), signal.SIGUSR1)  # Ray Tune's request to end the run
        else:
            with contextlib.suppress(Exception):
                yield

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study's truth is not in Ray's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: a study resumes from its own directory."""

    def __getstate__(self) -> dict[str, Any]:
        """State without what leads to the database."""
        return {"_dispatcher": None, "_pruner": None, "_exclusion": None, "_runs": {}, "error": None}


def _metrics_of(result: dict[str, Any]) -> dict[str, float]:
    return {key.removeprefix(METRICS_PREFIX): x for key, x in result.items() if key.startswith(METRICS_PREFIX)}
