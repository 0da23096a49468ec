"""Limits that end a search, a race or a confirmation early: the budget, failures, and the stop rule.

The reason and the number of runs are stored in the study's database, so that all readers of the study see the same
plan. A resume checks the limits again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from optuna.trial import TrialState

from study.phases.spending import Spending
from study.state.attribute_names import StudyAttribute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import FrozenTrial

    from study.state.directory import OpenStudy
    from study.state.optuna_store import TrialStore
    from trainables.runs.run_key import PhaseName

FIRST_FAILURES = 5
HOUR = 3600
RUN_NAMES: Mapping[PhaseName, str] = {"search": "search trial", "race": "run of the race", "confirm": "confirmation"}
RACE_LEAVES = 0.5  # share of the reserve that the race leaves for the confirmation


class EarlyEnd(NamedTuple):
    """The early end of a phase.

    Attributes:
        runs: Number of its runs.
        reason: Reason why no more are started.
    """

    runs: int
    reason: str


def early_end(store: TrialStore, phase: PhaseName) -> EarlyEnd | None:
    """Returns how a phase was cut short; None if it was not."""
    found = store.attribute(StudyAttribute.over(phase))
    return None if found is None else EarlyEnd(int(found["runs"]), str(found["reason"]))


def cut_short(store: TrialStore, phase: PhaseName, runs: int, reason: str) -> None:
    """Stores that a phase ends after ``runs`` runs."""
    store.set_study_attribute(StudyAttribute.over(phase), {"runs": runs, "reason": reason})


def reset(store: TrialStore, more_hours: float = 0.0) -> None:
    """Deletes the early ends of all phases, so that the next driver checks the limits again.

    Args:
        store: Trial database of the study.
        more_hours: Hours to add to the budget's hours and device hours.
    """
    for phase in RUN_NAMES:
        if store.attribute(StudyAttribute.over(phase)) is not None:
            store.set_study_attribute(StudyAttribute.over(phase), None)
    if more_hours:
        granted = float(store.attribute(StudyAttribute.HOURS_GRANTED) or 0.0)
        store.set_study_attribute(StudyAttribute.HOURS_GRANTED, granted + more_hours)
    store.set_study_attribute(StudyAttribute.TRUSTED_FROM, len(store.trials("search")))


class Limits:
    """Checks whether a phase may start more runs; used by the driver only.

    Args:
        study: An open study.
    """

    def __init__(self, study: OpenStudy) -> None:
        self._config = study.config
        self._budget = study.config.search.budget
        self._store = study.store
        self._spending = Spending(study)
        self._granted = HOUR * float(study.store.attribute(StudyAttribute.HOURS_GRANTED) or 0.0)
        self._trusted_from = int(study.store.attribute(StudyAttribute.TRUSTED_FROM) or 0)

    def reason(self, phase: PhaseName, runs: int) -> str | None:
        """Returns why a phase's next runs must not start; None if they may. Controls always may.

        Args:
            phase: Name of the phase.
            runs: Number of runs that start together.
        """
        if phase == "controls":
            return None
        if phase != "search":
            return self._costs(phase, runs)
        trials = self._store.trials(phase)
        return self._failures(trials) or self._costs(phase, runs) or self._nothing_to_gain(trials)

    def expired(self) -> bool:
        """Whether the hours of the budget are used up, so that running trials stop, too."""
        hours = self._budget.hours
        return hours is not None and self._spending.wall_seconds() >= HOUR * hours + self._granted

    def note(self) -> None:
        """Stores the time spent, if the budget limits the hours."""
        if self._budget.hours is not None:
            self._spending.note()

    def _costs(self, phase: PhaseName, runs: int) -> str | None:
        share = {"search": 1.0, "race": RACE_LEAVES}.get(phase, 0.0)
        left_over = share * self._budget.reserve_for_confirmation
        kept = f", {100 * left_over:.0f} % of it kept for the confirmation" if left_over else ""
        what = RUN_NAMES[phase]
        spent = self._spending
        if self._budget.hours is not None:
            limit = (HOUR * self._budget.hours + self._granted) * (1 - left_over)
            if spent.wall_seconds() + spent.run_seconds() > limit:
                return (
                    f"the budget of {_hours(HOUR * self._budget.hours + self._granted)} has no time for another "
                    f"{what}: {_hours(spent.wall_seconds())} used{kept}"
                )
        if self._budget.device_hours is not None:
            limit = (HOUR * self._budget.device_hours + self._granted) * (1 - left_over)
            if spent.device_seconds() + runs * spent.run_device_seconds() > limit:
                return (
                    f"the budget of {_hours(HOUR * self._budget.device_hours + self._granted)} of training leaves too "
                    f"little for another {what}: {_hours(spent.device_seconds())} used{kept}"
                )
        return None

    def _failures(self, trials: Sequence[FrozenTrial]) -> str | None:
        first = trials[self._trusted_from : self._trusted_from + FIRST_FAILURES]
        succeeded = any(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials)
        if succeeded or len(first) < FIRST_FAILURES or any(trial.state != TrialState.FAIL for trial in first):
            return None
        return f"the first {FIRST_FAILURES} trials all failed, and the others probably would, too"

    def _nothing_to_gain(self, trials: Sequence[FrozenTrial]) -> str | None:
        if self._config.search.stop_rule == "none":
            return None
        from study.search import improvement  # loads scikit-learn

        found = improvement.expected(self._config.space(), trials, minimizes=self._config.minimizes)
        if found is None or not found.is_small:
            return None
        return (
            f"another trial is expected to gain {found.gain:.2g}, little compared with the noise of {found.noise:.2g} "
            "between equal trials"
        )


def _hours(seconds: float) -> str:
    """Formats a duration in hours or minutes.

    Example:
        >>> _hours(5400), _hours(90)
        ('1.5 h', '1.5 min')
    """
    return f"{seconds / HOUR:.3g} h" if seconds >= HOUR else f"{seconds / 60:.3g} min"
