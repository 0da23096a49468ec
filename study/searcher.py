"""The study as Ray Tune sees it: a searcher that hands out the dispatcher's runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.tune.search import Searcher

from trainables.tune import METRICS_PREFIX

if TYPE_CHECKING:
    from study.dispatcher import Dispatcher


class StudySearcher(Searcher):  # type: ignore[misc]
    """Translates between Ray's trial ids and ours: a number and an attempt.

    A trial that is tried again is a new trial to Ray. Ray pickles searchers into its own files; this one leaves nothing
    there, for those files are disposable and must hold no secret.

    Args:
        dispatcher: Decides what runs.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._dispatcher: Dispatcher | None = dispatcher
        self._runs: dict[str, tuple[str, int, int]] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next run as Ray's configuration; ``FINISHED`` when no more will come."""
        assert self._dispatcher is not None  # noqa: S101 - None only in Ray's pickled copy
        assignment = self._dispatcher.next()
        if assignment is None:
            return Searcher.FINISHED if self._dispatcher.finished else None
        self._runs[trial_id] = (assignment.phase, assignment.number, assignment.attempt)
        return {"assignment": assignment, "phase": assignment.phase}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Passes an epoch on."""
        assert self._dispatcher is not None  # noqa: S101
        metrics = {key.removeprefix(METRICS_PREFIX): x for key, x in result.items() if key.startswith(METRICS_PREFIX)}
        self._dispatcher.report(*self._runs[trial_id], result["epoch"], metrics)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Passes the end of a run on; what became of it is in its directory."""
        del result
        assert self._dispatcher is not None  # noqa: S101
        self._dispatcher.ended(*self._runs.pop(trial_id), error=error)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study's truth is not in Ray's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: a study resumes from its own directory."""

    def __getstate__(self) -> dict[str, Any]:
        """State without the dispatcher, which holds the database."""
        return {"_dispatcher": None, "_runs": {}}
