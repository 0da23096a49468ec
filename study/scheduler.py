"""Early stopping of search trials; controls and confirmations are never stopped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from trainables.tune import METRICS_PREFIX

if TYPE_CHECKING:
    from study.config import StudyConfig


class SearchOnlyHalving(AsyncHyperBandScheduler):  # type: ignore[misc]
    """Asynchronous successive halving in its stopping form, for search trials only."""

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Enters a search trial into the rungs."""
        if _is_search(trial):
            super().on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Stops a search trial that is not among the best at its rung."""
        if not _is_search(trial):
            return str(TrialScheduler.CONTINUE)
        return str(super().on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Records the last value of a search trial."""
        if _is_search(trial):
            super().on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Forgets a search trial."""
        if _is_search(trial):
            super().on_trial_remove(tune_controller, trial)


def build(config: StudyConfig) -> TrialScheduler:
    """The scheduler that a study asks for."""
    scheduler = config.search.scheduler
    if scheduler.name == "none":
        return FIFOScheduler()
    epochs = config.training.epochs
    return SearchOnlyHalving(
        time_attr="epoch",
        metric=f"{METRICS_PREFIX}{config.objective}",
        mode="min" if config.minimizes else "max",
        max_t=epochs,
        grace_period=min(epochs, max(1, math.ceil(scheduler.grace * epochs))),
        reduction_factor=scheduler.reduction,
    )


def _is_search(trial: Any) -> bool:
    return bool(trial.config.get("phase") == "search")
