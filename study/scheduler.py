"""Early stopping as Ray Tune sees it: a scheduler that asks the searcher, which knows the study's trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

if TYPE_CHECKING:
    from study.searcher import StudySearcher


class StudyScheduler(FIFOScheduler):  # type: ignore[misc]
    """Stops the search trials that the study's pruner ends; others run as they come.

    It has no state of its own, for Ray's schedulers forget theirs when a study is resumed.

    Args:
        searcher: Of the same study.
    """

    def __init__(self, searcher: StudySearcher) -> None:
        super().__init__()
        self._searcher = searcher

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Says whether a run goes on after an epoch."""
        del tune_controller
        stops = self._searcher.stops(trial.trial_id, result)
        return str(TrialScheduler.STOP if stops else TrialScheduler.CONTINUE)
