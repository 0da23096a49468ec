"""Selects the winner and the other arms that are confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from study.phases.race import race_state, seeds_of
from study.search.ranking import confirmation_order
from trainables.runs.run_key import PhaseName, RunKey

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from study.state.directory import OpenStudy
    from trainables.config import TrainConfig


@dataclass(frozen=True)
class ConfirmedArm:
    """A configuration to confirm: a finalist of the search or a control.

    Attributes:
        phase: Phase of its trial, ``search`` or ``controls``.
        trial: Number of its trial in that phase.
        config: Configuration of that trial's run, with the search's seed and split.
        value: Objective of that trial on validation data.
        posterior_mean: Posterior mean of the value given all search trials, if the choice was made by it; else None.
        race_mean: Mean over the fresh seeds of the race; None without a race.
    """

    phase: PhaseName
    trial: int
    config: TrainConfig
    value: float
    posterior_mean: float | None = None
    race_mean: float | None = None

    @property
    def label(self) -> str:
        """Phase and number, such as ``search/7``."""
        return str(RunKey(self.phase, self.trial))


def finalists(study: OpenStudy) -> list[ConfirmedArm]:
    """Returns the best search trials, or the leaders of the race if there is one, best first.

    The first is the winner; it is selected before the test set is read.
    """
    best = confirmation_order(study)
    race_means = _race_means(study)
    if race_means:
        by_label = {str(RunKey("search", trial.number)): (trial, mean) for trial, mean in best}
        best = [by_label[label] for label in race_means]
    return [
        ConfirmedArm(
            "search",
            trial.number,
            study.config.search_config(trial.params, trial.number),
            trial.values[0],
            mean,
            race_means.get(str(RunKey("search", trial.number))),
        )
        for trial, mean in best[: study.config.confirm.finalists]
    ]


def _race_means(study: OpenStudy) -> dict[str, float | None]:
    """Returns the race's means by label, best first; empty before the first complete round or without a race."""
    race, rule = race_state(study), study.config.confirm.race
    if race is None or rule is None or not race.standing.rounds:
        return {}
    seeds = seeds_of(study.config, rule)
    return {label: race.mean(label, seeds) for label in race.standing.order}


def controls(study: OpenStudy) -> list[ConfirmedArm]:
    """Returns the completed controls."""
    complete = [trial for trial in study.store.trials("controls") if trial.state == TrialState.COMPLETE]
    return [_control(study, trial) for trial in complete]


def arm_from(study: OpenStudy, label: str) -> ConfirmedArm:
    """Returns the arm with a label such as ``search/7``."""
    key = RunKey.parse(label)
    trial = study.store.trials(key.phase)[key.number]
    if key.phase == "search":
        return ConfirmedArm(
            "search", trial.number, study.config.search_config(trial.params, trial.number), trial.values[0]
        )
    return _control(study, trial)


def _control(study: OpenStudy, trial: FrozenTrial) -> ConfirmedArm:
    return ConfirmedArm("controls", trial.number, study.config.control_config(trial.number), trial.values[0])
