"""Trials that search and controls still need."""

from optuna.trial import TrialState

from study.phases.phase import ControlPhase, SearchPhase
from study.search.sampling import suggest


def test_each_control_runs_once(new_study) -> None:
    study = new_study(controls=[{"method": "cross_entropy"}, {"temperature": 2}])
    phase = ControlPhase(study)
    assert phase.planned() == 2
    assignments = [phase.assignment(phase.start_next()) for _ in range(2)]
    assert phase.start_next() is None
    assert [found.config for found in assignments] == [study.config.control_config(number) for number in range(2)]
    assert [found.directory for found in assignments] == [study.directory / f"controls/{n}" for n in range(2)]
    assert {found.attempt for found in assignments} == {1}


def test_the_search_asks_the_sampler_until_it_has_the_planned_trials(new_study) -> None:
    study = new_study()
    phase = SearchPhase(study, 3)
    assert phase.planned() == 3
    for number in range(3):
        asked = {"sampler": "random", "seed": 0, "minimizes": [True], "planned": 3}
        expected = suggest(study.config.space(), study.store.trials("search"), **asked)
        trial = phase.start_next()
        assert (trial.number, trial.params) == (number, expected)
        assert phase.assignment(trial).config == study.config.search_config(expected, number)
        assert phase.assignment(trial).directory == study.directory / f"trials/{number}"
    assert phase.start_next() is None


def test_the_search_ends_when_a_discrete_space_is_exhausted(new_study) -> None:
    study = new_study(search__space={"temperature": {"choices": [1, 4]}})
    phase = SearchPhase(study, 40)
    assert phase.planned() == 2
    assert {phase.start_next().params["temperature"] for _ in range(2)} == {1.0, 4.0}
    assert phase.start_next() is None


def test_an_assignment_has_the_current_attempt(new_study) -> None:
    study = new_study()
    phase = SearchPhase(study, 1)
    trial = phase.start_next()
    study.store.set_attribute(trial, "attempt", 4)
    again = phase.assignment(study.store.trials("search")[0])
    assert again.attempt == 4
    assert again.config == phase.assignment(trial).config  # the same seed and point
    study.store.tell(trial, TrialState.FAIL, None, 0, "x")
    assert phase.start_next() is None  # a failed trial is not replaced
