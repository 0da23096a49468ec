"""Rungs, rules, and studies with a scheduler under a fake executor; ``test_resume`` covers them with Ray."""

import itertools

import pytest
from optuna.trial import TrialState

from study.definition.sections import Scheduler
from study.search.pruning import RULES, Pruner, is_kept
from tests.kit.fakes.executor import DriverKilledError, Executor
from tests.kit.fakes.toy import ToyRun
from tests.kit.faults.oracle import verify_study
from trainables.config import Training

OBJECTIVE = "validation/top1_error"
RANGES = {"temperature": {"low": 0.5, "high": 16, "log": True}, "lambda_cls": {"low": 0.1, "high": 8, "log": True}}


def pruned_study(new_study, scheduler="asha", **overrides):
    """A toy study of 8 epochs, whose first rung is epoch 5."""
    options = {"name": scheduler, "min_trials": 3}
    search = {"search__space": RANGES, "search__sampler": {"name": "tpe"}, "search__scheduler": options}
    return new_study(**search | {"search__trials": 9, "training__epochs": 8, "confirm__seeds": [1]} | overrides)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("epochs", [3, 24, 60, 200])
@pytest.mark.parametrize("late", [False, True])
def test_rungs_lie_between_the_first_decay_and_the_end(name, epochs, late) -> None:
    training = Training(epochs=epochs, reference_off_by_one=late)
    rungs = Scheduler(name=name).rungs(training)
    assert list(rungs) == sorted(set(rungs))
    for rung in rungs:
        assert training.learning_rate(rung - 1) < training.lr  # epochs count from 0 here
        assert rung < epochs


def test_rungs_of_a_run_without_decays_start_in_its_middle() -> None:
    assert Scheduler(name="asha").rungs(Training(epochs=100, milestones=())) == (55,)


@pytest.mark.parametrize("training", [Training(epochs=1), Training(epochs=100, milestones=(0.99,))])
def test_a_run_whose_decay_comes_too_late_has_no_rungs(training) -> None:
    assert Scheduler(name="asha").rungs(training) == ()
    assert Scheduler(name="median").rungs(training) == ()


@pytest.mark.parametrize("name", RULES)
def test_the_best_trial_continues_in_any_order_of_arrival(name) -> None:
    scheduler = Scheduler(name=name, reduction=3, min_trials=1)
    for order in itertools.permutations([0.1, 0.2, 0.3, 0.4, 0.5]):
        seen: list[float] = []
        for value in order:
            kept = is_kept(value, seen, scheduler)
            assert kept or value != 0.1
            seen.append(value)


@pytest.mark.parametrize(("reduction", "kept"), [(2, 5), (3, 3), (4, 3)])
def test_halving_keeps_the_best_share_rounded_up(reduction, kept) -> None:
    values = [0.1 * rank for rank in range(9)]
    scheduler = Scheduler(name="asha", reduction=reduction)
    found = [is_kept(value, [other for other in values if other != value], scheduler) for value in values]
    assert found == [rank < kept for rank in range(9)]


def test_the_median_rule_stops_values_worse_than_the_median() -> None:
    scheduler = Scheduler(name="median")
    assert is_kept(0.3, [0.1, 0.2, 0.4, 0.5], scheduler)
    assert not is_kept(0.31, [0.1, 0.2, 0.4, 0.5], scheduler)
    assert is_kept(0.3, [0.3, 0.3, 0.3, 0.3], scheduler)


@pytest.mark.parametrize("name", RULES)
def test_no_trial_is_stopped_before_enough_trials_reached_the_rung(name) -> None:
    assert is_kept(0.9, [0.1, 0.1, 0.1], Scheduler(name=name, min_trials=5))
    assert not is_kept(0.9, [0.1, 0.1, 0.1, 0.1], Scheduler(name=name, min_trials=5))


@pytest.mark.parametrize("name", RULES)
def test_only_search_trials_are_pruned_and_only_at_rungs(new_study, name) -> None:
    study = pruned_study(new_study, name)
    Executor(study, slots=3, seed=1).run()
    verify_study(study.directory)
    rungs = study.config.search.scheduler.rungs(study.config.training)
    trials = study.store.trials("search")
    pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
    whole = [trial for trial in trials if trial.state.name == "COMPLETE"]
    assert pruned
    assert len(whole) >= len(pruned)
    for trial in pruned:
        assert trial.last_step in rungs
        assert trial.value == trial.intermediate_values[trial.last_step]
        at_rung = [other.intermediate_values[trial.last_step] for other in whole]
        assert min(at_rung) < trial.value
    for trial in whole:
        assert set(trial.intermediate_values) == {*rungs, 8}
    assert {trial.state.name for phase in ("controls", "confirm") for trial in study.store.trials(phase)} == {
        "COMPLETE"
    }


@pytest.mark.parametrize("name", RULES)
def test_a_study_whose_driver_dies_decides_like_an_uninterrupted_one(new_study, name) -> None:
    short = {"search__trials": 7, "controls": []}
    unbroken = pruned_study(new_study, name, name="unbroken", **short)
    Executor(unbroken, slots=1, until="search").run()
    deaths = {(number, epoch) for number in (1, 4, 6) for epoch in (5, 6)}  # before the rung and after it

    def fault(assignment, epoch):
        place = (assignment.number, epoch)
        if assignment.phase == "search" and place in deaths:
            deaths.discard(place)
            return "driver"
        return None

    while True:
        broken = pruned_study(new_study, name, name="broken", **short)
        try:
            Executor(broken, fault, slots=1, until="search").run()
        except DriverKilledError:
            continue
        break
    assert len(deaths) <= 3  # a pruned trial has no epoch after its rung

    def outcomes(study):
        return [(trial.state, trial.value, trial.intermediate_values) for trial in study.store.trials("search")]

    assert outcomes(broken) == outcomes(unbroken)


def test_a_trial_that_passed_a_rung_unjudged_is_judged_at_its_next_report(new_study) -> None:
    study = pruned_study(new_study, controls=[], search__scheduler={"name": "asha", "min_trials": 4})
    executor = Executor(study, slots=8)
    assignments = [executor.dispatcher.next() for _ in range(4)]
    values = {}
    for assignment in assignments:
        run = ToyRun(assignment)
        values[assignment.number] = [run.advance().metrics[OBJECTIVE] for _ in range(6)]
    *better, worst = sorted(assignments, key=lambda assignment: values[assignment.number][4])
    pruner = Pruner(study)
    for assignment in better:
        at_rung = {OBJECTIVE: values[assignment.number][4]}
        assert not pruner.stops(assignment.number, 4, {OBJECTIVE: 0.0})  # not a rung
        assert not pruner.stops(assignment.number, 5, at_rung)
    assert pruner.stops(worst.number, 6, {OBJECTIVE: 0.0})  # judged by the value of epoch 5 in its file
    trial = study.store.trials("search")[worst.number]
    assert trial.intermediate_values == {5: values[worst.number][4]}
    assert not Pruner(study).stops(better[-1].number, 6, {OBJECTIVE: 0.99})


@pytest.mark.parametrize(("name", "stops"), [("asha", True), ("median", False)])
def test_the_median_counts_trials_stopped_earlier(new_study, name, stops) -> None:
    scheduler = {"name": name, "min_trials": 2, "grace": 0.25, "before_decay": True}  # 2 and 4 are among the rungs
    study = pruned_study(new_study, controls=[], search__scheduler=scheduler)
    executor = Executor(study, slots=8)
    for _ in range(4):
        executor.dispatcher.next()
    trials = study.store.trials("search")
    for trial in trials[:2]:
        study.store.tell(trial, TrialState.PRUNED, [0.5], 2, None)
    study.store.report(trials[2], 4, 0.2)
    pruner = Pruner(study)
    assert pruner.stops(3, 4, {OBJECTIVE: 0.25}) == stops  # worse than the trial at the rung, better than two of three


def test_larger_values_are_better_if_the_objective_is_maximized(new_study, monkeypatch) -> None:
    study = pruned_study(new_study, controls=[])
    executor = Executor(study, slots=8)
    for _ in range(4):
        executor.dispatcher.next()
    monkeypatch.setattr(type(study.config), "minimizes", False)  # recall, the only such metric, has no value at a rung
    pruner = Pruner(study)
    assert [pruner.stops(number, 5, {OBJECTIVE: value}) for number, value in enumerate([0.9, 0.8, 0.1, 0.85])] == [
        *(False, False),  # not enough trials yet
        *(True, False),
    ]


@pytest.mark.parametrize("name", ["asha", "median"])
def test_the_first_trial_at_a_rung_continues(name):
    assert is_kept(0.9, [], Scheduler(name=name, min_trials=1))
