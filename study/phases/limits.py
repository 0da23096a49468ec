"""What ends a search, a race or a confirmation before all of its runs: the budget, failures, nothing left to gain.

Why and after how many runs is kept in the store, so that every reader of the study sees the same plan. A resume asks
anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from optuna.trial import TrialState

from study.phases.spending import Spending
from study.state.attribute_names import StudyAttribute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from study.definition.study_config import StudyConfig
    from study.state.optuna_store import Store
    from trainables.runs.run_key import PhaseName

FIRST_FAILURES = 5
HOUR = 3600
CUT: Mapping[PhaseName, str] = {"search": "search trial", "race": "run of the race", "confirm": "confirmation"}
RACE_LEAVES = 0.5  # of what is kept for the confirmation; the race is paid from it


class Over(NamedTuple):
    """Where a phase was cut short.

    Attributes:
        runs: How many it has.
        reason: Why there are no more.
    """

    runs: int
    reason: str


def over(store: Store, phase: PhaseName) -> Over | None:
    """Where a phase was cut short; None where it was not."""
    found = store.attribute(StudyAttribute.over(phase))
    return None if found is None else Over(int(found["runs"]), str(found["reason"]))


def cut_short(store: Store, phase: PhaseName, runs: int, reason: str) -> None:
    """Notes that a phase has no more than so many runs."""
    store.set_study_attribute(StudyAttribute.over(phase), {"runs": runs, "reason": reason})


def ask_anew(store: Store, more_hours: float = 0.0) -> None:
    """Forgets what cut the study short: a driver begins, which may find the reason gone.

    Args:
        store: Of the study.
        more_hours: Added to the budget, to hours and device hours alike.
    """
    for phase in CUT:
        if store.attribute(StudyAttribute.over(phase)) is not None:
            store.set_study_attribute(StudyAttribute.over(phase), None)
    if more_hours:
        granted = float(store.attribute(StudyAttribute.HOURS_GRANTED) or 0.0)
        store.set_study_attribute(StudyAttribute.HOURS_GRANTED, granted + more_hours)
    store.set_study_attribute(StudyAttribute.TRUSTED_FROM, len(store.trials("search")))


class Limits:
    """Says when a phase has had enough; only the driver asks.

    Args:
        config: The study.
        store: Its trials.
        directory: The study directory.
    """

    def __init__(self, config: StudyConfig, store: Store, directory: Path) -> None:
        self._config = config
        self._budget = config.search.budget
        self._store = store
        self._spending = Spending(config, store, directory)
        self._granted = HOUR * float(store.attribute(StudyAttribute.HOURS_GRANTED) or 0.0)
        self._trusted_from = int(store.attribute(StudyAttribute.TRUSTED_FROM) or 0)

    def reason(self, phase: PhaseName, runs: int) -> str | None:
        """Why a phase's next runs do not begin; None when they may. Controls always do.

        Args:
            phase: Its name.
            runs: How many belong together.
        """
        if phase == "controls":
            return None
        if phase != "search":
            return self._costs(phase, runs)
        trials = self._store.trials(phase)
        return self._failures(trials) or self._costs(phase, runs) or self._nothing_to_gain(trials)

    def expired(self) -> bool:
        """Whether the study's hours are over, so that even running trials stop."""
        hours = self._budget.hours
        return hours is not None and self._spending.wall_seconds() >= HOUR * hours + self._granted

    def note(self) -> None:
        """Keeps the time that was spent, where a budget needs it."""
        if self._budget.hours is not None:
            self._spending.note()

    def _costs(self, phase: PhaseName, runs: int) -> str | None:
        share = {"search": 1.0, "race": RACE_LEAVES}.get(phase, 0.0)
        left_over = share * self._budget.reserve_for_confirmation
        kept = f", {100 * left_over:.0f} % of it kept for the confirmation" if left_over else ""
        what = CUT[phase]
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
                    f"the budget of {_hours(HOUR * self._budget.device_hours + self._granted)} of training is spent "
                    f"but for less than another {what}: {_hours(spent.device_seconds())} used{kept}"
                )
        return None

    def _failures(self, trials: Sequence[FrozenTrial]) -> str | None:
        first = trials[self._trusted_from : self._trusted_from + FIRST_FAILURES]
        succeeded = any(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials)
        if succeeded or len(first) < FIRST_FAILURES or any(trial.state != TrialState.FAIL for trial in first):
            return None
        return f"the first {FIRST_FAILURES} trials all failed, so the rest would"

    def _nothing_to_gain(self, trials: Sequence[FrozenTrial]) -> str | None:
        if self._config.search.stop_rule == "none":
            return None
        from study.search import improvement  # loads scikit-learn

        found = improvement.expected(self._config.space(), trials, minimizes=self._config.minimizes)
        if found is None or not found.is_small:
            return None
        return (
            f"another trial would gain {found.gain:.2g} on the average, little beside the {found.noise:.2g} by which "
            "equal trials differ"
        )


def _hours(seconds: float) -> str:
    """A duration for people.

    Example:
        >>> _hours(5400), _hours(90)
        ('1.5 h', '1.5 min')
    """
    return f"{seconds / HOUR:.3g} h" if seconds >= HOUR else f"{seconds / 60:.3g} min"
