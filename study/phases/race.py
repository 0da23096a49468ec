"""The race: candidates run with fresh seeds, and those that are clearly worse drop out until the finalists remain.

It comes between search and confirmation and uses validation data only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.trial import TrialState

from study.phases.limits import early_end
from study.phases.phase import Phase, SeededPhase
from study.phases.race_rule import Standing, standing
from study.search.ranking import confirmation_order
from study.state.attribute_names import TrialAttribute
from study.state.optuna_store import arm_and_seed
from trainables.runs.run_key import PhaseName, RunKey

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from study.definition.sections import Race
    from study.definition.study_config import StudyConfig
    from study.state.directory import OpenStudy
    from trainables.config import TrainConfig


class RaceState(NamedTuple):
    """The standing of a race and its runs.

    Attributes:
        standing: Standing of the race; names are labels such as ``search/7``.
        runs: Trials that have started, by label and seed; includes earlier candidates that a longer search replaced.
    """

    standing: Standing
    runs: dict[tuple[str, int], FrozenTrial]

    def mean(self, label: str, seeds: tuple[int, ...]) -> float | None:
        """Returns the mean of a candidate over its seeds in complete rounds; None without a value."""
        ended = [self.runs[label, seed] for seed in seeds[: self.standing.rounds] if (label, seed) in self.runs]
        values = [trial.values[0] for trial in ended if trial.state == TrialState.COMPLETE]
        return sum(values) / len(values) if values else None


def seeds_of(config: StudyConfig, rule: Race) -> tuple[int, ...]:
    """Returns the training seeds of the race, one per round; no search trial or confirmation uses them."""
    return tuple(config.race_seed(number) for number in range(rule.seeds))


def race_state(study: OpenStudy) -> RaceState | None:
    """Returns the state of the race from the study's database; None without a race."""
    config, rule = study.config, study.config.confirm.race
    if rule is None:
        return None
    names = [str(RunKey("search", trial.number)) for trial, _ in confirmation_order(study)[: rule.candidates]]
    runs = {arm_and_seed(trial): trial for trial in study.store.trials("race")}
    table = {
        key: trial.values[0] if trial.state == TrialState.COMPLETE else None
        for key, trial in runs.items()
        if trial.state.is_finished()
    }
    found = standing(
        names,
        table,
        seeds=seeds_of(config, rule),
        survivors=config.confirm.finalists,
        rule=rule,
        minimizes=config.minimizes,
    )
    return RaceState(found, runs)


def race_record(study: OpenStudy) -> dict[str, Any] | None:
    """Describes the race for ``study.json``; None without a race.

    Returns:
        Complete ``rounds``; whether it is ``over``; ``runs`` and ``runs_at_most``; ``level`` of the test; and
        ``candidates``, best first, each with ``arm``, ``mean`` over its number of fresh ``seeds``, numbers of its
        ``trials`` in the phase ``race``, and how it dropped out: number of seeds (``dropped_after``), corrected ``p``,
        and whether its run ``failed``.
    """
    race, rule = race_state(study), study.config.confirm.race
    if race is None or rule is None:
        return None
    found, exits = race.standing, {left.name: left for left in race.standing.exits}
    seeds = seeds_of(study.config, rule)
    candidates = []
    for label in found.order:
        left = exits.get(label)
        candidates.append(
            {
                "arm": label,
                "mean": race.mean(label, seeds),
                "seeds": left.seeds if left else found.rounds,
                "trials": [race.runs[label, seed].number for seed in seeds if (label, seed) in race.runs],
                "dropped_after": left.seeds if left else None,
                "p": left.p if left else None,
                "failed": left is not None and left.p is None,
            }
        )
    return {
        "rounds": found.rounds,
        "over": not found.wanted or early_end(study.store, "race") is not None,
        "runs": len(race.runs),
        "runs_at_most": len(candidates) * rule.seeds,
        "level": rule.level,
        "candidates": candidates,
    }


class RacePhase(SeededPhase):
    """Runs the candidates with the race's seeds on the search's split.

    Args:
        search: Search phase, which must end first.
    """

    name: PhaseName = "race"

    def __init__(self, study: OpenStudy, search: Phase) -> None:
        super().__init__(study)
        self._search = search

    def planned(self) -> int:
        """Number of runs if no further candidate drops out."""
        rule, ended = self.config.confirm.race, early_end(self.store, self.name)
        if rule is None or ended is not None:
            return 0 if ended is None else ended.runs
        if self._search.is_open():
            return min(rule.candidates, self._search.planned()) * rule.seeds
        found, runs = self._state()
        if not found.wanted:
            return len(runs)
        seeds = seeds_of(self.config, rule)[found.rounds :]
        return len({*runs, *((label, seed) for label in found.racing for seed in seeds)})

    def run_config(self, trial: FrozenTrial) -> TrainConfig:
        """Returns the configuration of a candidate with a seed of the race."""
        number = RunKey.parse(trial.user_attrs[TrialAttribute.ARM]).number
        config = self.config.search_config(self.store.trials("search")[number].params, number)
        return config.model_copy(update={"seed": trial.user_attrs[TrialAttribute.SEED]})

    def _missing(self) -> list[tuple[str, int]]:
        if self._search.is_open() or early_end(self.store, self.name) is not None:
            return []
        found, runs = self._state()
        return [pair for pair in found.wanted if pair not in runs]

    def _state(self) -> RaceState:
        state = race_state(self.study)
        assert state is not None  # noqa: S101 - the phase exists only in a study with a race
        return state
