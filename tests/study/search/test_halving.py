"""Rungs of compressed schedules, and studies with them under a fake executor."""

import itertools

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from study import api
from study.campaigns.plan import warnings
from study.campaigns.preview import describe, entries
from study.definition.sections import Scheduler
from study.errors import StudyFileError
from study.outcome.verification import verify
from study.phases.sequence import phases_of
from study.phases.spending import Spending
from study.search.halving import Ladder, without_promotions
from study.state.attribute_names import TrialAttribute
from study.views import status
from tests.kit.fakes.executor import DriverKilledError, Executor, no_fault
from tests.kit.faults.oracle import verify_study
from trainables.config import Training
from trainables.runs.run_directory import RunDirectory

OBJECTIVE = "validation/top1_error"
RANGES = {"temperature": {"low": 0.5, "high": 16, "log": True}, "lambda_cls": {"low": 0.1, "high": 8, "log": True}}
HALVING = {
    "search__space": RANGES,
    "search__sampler": {"name": "tpe"},
    "search__scheduler": {"name": "halving", "min_trials": 2},
    "search__trials": 6,
    "training__epochs": 8,
    "confirm__seeds": [1],
}


def by_length(study) -> dict[int, list[FrozenTrial]]:
    found: dict[int, list[FrozenTrial]] = {}
    for trial in study.store.trials("search"):
        found.setdefault(trial.user_attrs[TrialAttribute.EPOCHS], []).append(trial)
    return found


def check(study, points: int) -> None:
    """Checks the properties of a finished study with halving, whatever the order in which its runs ended."""
    trials, rungs = study.store.trials("search"), by_length(study)
    assert sorted(rungs) == [2, 4, 8]
    assert len(rungs[2]) == points
    for short, long in itertools.pairwise(sorted(rungs)):
        parents = [trials[trial.user_attrs[TrialAttribute.PROMOTED_FROM]] for trial in rungs[long]]
        assert len({parent.number for parent in parents}) == len(parents)
        assert all(parent in rungs[short] and parent.state == TrialState.PRUNED for parent in parents)
        assert [trial.params for trial in rungs[long]] == [parent.params for parent in parents]
        done = sorted(trial.values[0] for trial in rungs[short] if trial.state == TrialState.PRUNED)
        places = -(-len(done) // 2)
        assert len(rungs[long]) >= places
        assert set(done[:places]) <= {parent.values[0] for parent in parents}  # all of the best were promoted
    for length, at_rung in rungs.items():
        for trial in at_rung:
            rows = RunDirectory(study.directory / "trials" / str(trial.number)).epochs()
            if trial.state != TrialState.FAIL:
                assert trial.state == (TrialState.COMPLETE if length == 8 else TrialState.PRUNED)
                assert trial.intermediate_values == {length: rows[-1].metrics[OBJECTIVE]}
                assert len(rows) == length


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 24, 200])
@pytest.mark.parametrize("reduction", [2, 3, 5])
@pytest.mark.parametrize("late", [False, True])
def test_the_learning_rate_decays_in_each_schedule(epochs, reduction, late) -> None:
    training = Training(epochs=epochs, reference_off_by_one=late)
    lengths = Scheduler(name="halving", reduction=reduction, grace=0.05).lengths(training)
    assert list(lengths) == sorted(set(lengths))
    assert lengths[-1] == epochs
    for length in lengths[:-1]:
        short = training.model_copy(update={"epochs": length})
        assert short.learning_rate(length - 1) < short.lr


@pytest.mark.parametrize("name", ["none", "asha", "median"])
def test_other_schedulers_have_one_schedule(name) -> None:
    assert Scheduler(name=name).lengths(Training(epochs=200)) == (200,)


def short_run(number: int, value: float | None, *, maximizes: bool = False) -> FrozenTrial:
    state = TrialState.FAIL if value is None else TrialState.PRUNED
    values = None if value is None else -value if maximizes else value
    trial = create_trial(state=state, value=values, user_attrs={TrialAttribute.EPOCHS: 2})
    trial.number = number
    return trial


@pytest.mark.parametrize("minimizes", [True, False])
def test_the_best_is_promoted_once_enough_have_ended(minimizes) -> None:
    ladder = Ladder((2, 4), 2, 3, minimizes)
    values = [0.5, 0.3, 0.4]
    trials = [short_run(number, value, maximizes=not minimizes) for number, value in enumerate(values)]
    assert ladder.promotion(8, trials[:2]) is None
    assert ladder.promotion(2, trials[:2]) == (trials[1], 4)  # no more will come
    assert ladder.promotion(8, trials) == (trials[1], 4)
    promoted = create_trial(
        state=TrialState.RUNNING, user_attrs={TrialAttribute.EPOCHS: 4, TrialAttribute.PROMOTED_FROM: 1}
    )
    assert ladder.promotion(8, [*trials, promoted]) == (trials[2], 4)


def test_failures_take_no_places_at_the_next_rung() -> None:
    ladder = Ladder((2, 4), 2, 1, True)
    failed = [short_run(number, None) for number in range(4)]
    assert ladder.counts(4, failed) == [4, 0]
    assert ladder.counts(4, failed[:2]) == [4, 1]
    assert ladder.promotion(4, failed) is None


@pytest.mark.parametrize(("slots", "seed"), [(1, 0), (4, 2)])
def test_a_study_ends_with_full_runs_of_its_better_points(new_study, slots: int, seed: int) -> None:
    study = new_study(**HALVING)
    Executor(study, slots=slots, seed=seed).run()
    check(study, points=6)
    verify_study(study.directory)
    assert verify(study).violations == []
    arms = {trial.user_attrs["arm"] for trial in study.store.trials("confirm")}
    assert arms <= {"controls/0", *(f"search/{trial.number}" for trial in by_length(study)[8])}
    assert status.describe(study)["phases"]["search"]["COMPLETE"] == len(by_length(study)[8])


def test_a_study_with_failed_points_ends(new_study) -> None:
    def fault(run, epoch) -> str | None:
        return "wrong" if run.phase == "search" and run.number in (0, 3, 7) and epoch == 2 else None

    study = new_study(**HALVING)
    Executor(study, fault).run()
    check(study, points=6)
    verify_study(study.directory)


@pytest.mark.long
def test_a_study_resumes_after_its_driver_was_killed(new_study) -> None:
    study = new_study(**HALVING)
    for number, epoch in ((1, 2), (7, 3)):
        with pytest.raises(DriverKilledError):
            Executor(study, lambda run, at, n=number, e=epoch: "driver" if (run.number, at) == (n, e) else None).run()
    Executor(study).run()
    check(study, points=6)
    assert verify_study(study.directory)["retrained_epochs"] <= 4


def test_a_search_is_extended_by_points(new_study) -> None:
    study = new_study(**HALVING)
    Executor(study, until="search").run()
    with pytest.raises(api.UsageError, match="already has 6 search trials"):
        api._extend(study, 5)
    api._extend(study, 9)
    assert phases_of(study)[1].upcoming() == 1
    Executor(study, until="search").run()
    check(study, points=9)


def test_on_a_grid_each_cell_is_a_point(new_study) -> None:
    study = new_study(**HALVING | {"search__space": None, "search__trials": 100, "method": "cs_kd"} | GRID)
    Executor(study, until="search").run()
    assert len({tuple(trial.params.items()) for trial in without_promotions(study.store.trials("search"))}) == 8
    check(study, points=8)


GRID = {"search__space": {"temperature": {"choices": [1, 4]}, "lambda_cls": {"choices": [1, 2, 3, 4]}}}


def test_running_short_runs_count_with_their_own_schedule(new_study) -> None:
    study = new_study(**HALVING)
    executor = Executor(study, no_fault)
    executor.dispatcher.recover()
    executor.dispatcher.next()  # the control
    executor.dispatcher.next()
    spending = Spending(study)
    spending._epoch_seconds = lambda: 1.0
    assert spending.device_seconds() == 8 + 2
    assert phases_of(study)[1].epochs_to_begin() == 5 * 2 + 3 * 4 + 2 * 8


def test_the_plan_counts_short_runs_as_short(toy) -> None:
    config = toy(**HALVING)
    found = describe(config)
    assert found["rungs"] == {"2": 6, "4": 3, "8": 2}
    assert found["runs"] == 6 + 3 + 2 + 1 + 2
    assert found["epochs"] == 6 * 2 + 3 * 4 + 2 * 8 + 8 + 2 * 8
    assert "halving: 6 with 2 epochs, 3 with 4 epochs, 2 with 8 epochs" in entries(found)["search"]
    assert not any("before the learning rate falls" in line for line in warnings(config))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"search__objectives": [OBJECTIVE, "validation/nll"]}, "needs a single objective"),
        ({"search__sampler": {"name": "gp"}}, "use the sampler tpe"),
    ],
)
def test_options_that_conflict_with_halving_are_refused(toy, overrides, message: str) -> None:
    with pytest.raises(StudyFileError, match=message):
        toy(**HALVING | overrides)
