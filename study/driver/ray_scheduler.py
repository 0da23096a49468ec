"""Ray Tune scheduler that stops the trials that the study's pruner ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from study.cluster import placement

if TYPE_CHECKING:
    from study.cluster.exclusion import Exclusion
    from study.driver.ray_searcher import StudySearcher


class StudyScheduler(FIFOScheduler):  # type: ignore[misc]
    """Stops the search trials that the study's pruner ends; otherwise first in, first out.

    It keeps no state, because a resumed study starts with a new scheduler.

    Args:
        searcher: Searcher of the same study.
        exclusion: Record of the nodes on which runs end or are lost; None on a single machine.
    """

    def __init__(self, searcher: StudySearcher, exclusion: Exclusion | None = None) -> None:
        super().__init__()
        self._searcher = searcher
        self._exclusion = exclusion

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Decides whether a run continues after an epoch; records its node while any node is suspected."""
        del tune_controller
        exclusion = self._exclusion
        if exclusion is not None and exclusion.has_losses and (node := placement.node_of_trial(trial)):
            exclusion.epoch_finished(node)
        stops = self._searcher.stops(trial.trial_id, result)
        return str(TrialScheduler.STOP if stops else TrialScheduler.CONTINUE)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Records the node of a run that ended; its worker still lives."""
        super().on_trial_complete(tune_controller, trial, result)
        if self._exclusion is not None and (node := placement.node_of_trial(trial)):
            self._exclusion.run_ended(node)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Records the node that lost or refused a run; Ray calls this before it calls the searcher."""
        super().on_trial_error(tune_controller, trial)
        if self._exclusion is None:
            return
        if why := placement.why_refused(trial):
            self._searcher.refused(trial.trial_id, why)
            if node := placement.node_of_trial(trial):
                self._exclusion.node_refused(node, why)
        elif node := placement.node_that_lost(trial):
            self._exclusion.run_lost(node, self._searcher.run_of(trial.trial_id))

    def __getstate__(self) -> dict[str, Any]:
        """Returns the state without references to the database, like the searcher's."""
        return self.__dict__ | {"_exclusion": None}
