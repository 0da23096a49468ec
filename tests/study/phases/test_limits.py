"""Studies end early because of budgets, failures and the stop rule."""

import pytest

from study.phases import limits, sequence
from study.phases.limits import EarlyEnd, Limits, cut_short, early_end
from study.phases.spending import Spending
from study.state.attribute_names import StudyAttribute
from tests.kit.fakes.executor import Executor
from tests.kit.faults.oracle import verify_study

EPOCH = 0.01  # seconds per epoch of the toy
RUN = 4 * EPOCH
HOUR = 3600


def states(study, phase: str) -> list[str]:
    return [trial.state.name for trial in study.store.trials(phase)]


def budget(seconds: float, reserve: float) -> dict:
    return {"device_hours": seconds / HOUR, "reserve_for_confirmation": reserve}


def all_trials_fail(assignment, epoch: int) -> str | None:
    return "wrong" if assignment.phase == "search" and epoch else None


def all_but_one_fail(assignment, epoch: int) -> str | None:
    return None if assignment.number == 2 else all_trials_fail(assignment, epoch)


def test_a_budget_of_training_time_ends_the_search_and_keeps_the_reserve_for_the_confirmation(new_study) -> None:
    # 0.18 s for the control and the search: four runs. Then the two arms of a seed fit once, not twice.
    study = new_study(search__budget=budget(0.30, 0.4))
    executor = Executor(study, slots=1)
    executor.run()
    assert states(study, "search") == 3 * ["COMPLETE"]
    confirmed = study.store.trials("confirm")
    assert [(trial.user_attrs["arm"].split("/")[0], trial.user_attrs["seed"]) for trial in confirmed] == [
        ("search", 1),
        ("controls", 1),
    ]
    assert [event[1] for event in executor.watcher.events if event[0] == "cut_short"] == ["search", "confirm"]
    assert early_end(study.store, "search").runs == 3
    assert "the budget of 0.005 min of training" in early_end(study.store, "search").reason
    assert "40 % of it kept for the confirmation" in early_end(study.store, "search").reason
    verify_study(study.directory)


def test_running_trials_count_with_their_full_cost(new_study) -> None:
    study = new_study(search__budget=budget(0.50, 0.5), search__trials=8)
    Executor(study, slots=3, until="search").run()
    # 0.25 s: six runs; three start before the cost of a run is known, at the end of the first epoch.
    assert len(study.store.trials("search")) + len(study.store.trials("controls")) == 6


def test_a_study_that_was_cut_short_has_the_state_done(new_study) -> None:
    study = new_study(search__budget=budget(0.30, 0.4))
    Executor(study, slots=1).run()
    counts = sequence.counts_of(study)
    assert (counts["search"]["planned"], counts["confirm"]["planned"]) == (3, 2)
    assert sequence.state_of(counts, held=False, until="confirm") == "done"


def test_more_hours_continue_the_search(new_study) -> None:
    study = new_study(search__budget=budget(0.30, 0.4))
    Executor(study, slots=1).run()
    limits.reset(study.store, more_hours=1.0)
    assert early_end(study.store, "search") is None
    Executor(study, slots=1).run()
    assert states(study, "search") == 8 * ["COMPLETE"]
    verify_study(study.directory)


def test_without_more_hours_a_resume_starts_no_more_runs(new_study) -> None:
    study = new_study(search__budget=budget(0.30, 0.4))
    Executor(study, slots=1).run()
    limits.reset(study.store)
    Executor(study, slots=1).run()
    assert (len(states(study, "search")), len(states(study, "confirm"))) == (3, 2)


@pytest.mark.parametrize("spent", [0.0, 1.4])
def test_hours_of_earlier_drivers_count(new_study, spent: float) -> None:
    study = new_study(search__budget={"hours": 2.0, "reserve_for_confirmation": 0.3})
    study.store.set_study_attribute(StudyAttribute.DRIVER_SECONDS, spent * HOUR)
    Executor(study).run()
    if spent:
        assert states(study, "search") == []
        assert early_end(study.store, "search").reason == (
            "the budget of 2 h has no time for another search trial: 1.4 h used, 30 % of it kept for the confirmation"
        )
    else:
        assert len(states(study, "search")) == 8
    assert study.store.attribute(StudyAttribute.DRIVER_SECONDS) > spent * HOUR


@pytest.mark.parametrize(("spent", "granted", "expired"), [(1.9, 0.0, False), (2.0, 0.0, True), (2.0, 1.0, False)])
def test_running_trials_stop_when_the_hours_are_used_up(new_study, spent, granted, expired) -> None:
    study = new_study(search__budget={"hours": 2.0})
    study.store.set_study_attribute(StudyAttribute.DRIVER_SECONDS, spent * HOUR)
    study.store.set_study_attribute(StudyAttribute.HOURS_GRANTED, granted)
    assert Limits(study).expired() is expired


@pytest.mark.parametrize(
    ("gpus", "measured", "share"),
    [(None, None, 1), (0.5, None, 0.5), (None, 0.25, 0.25), (0.5, 0.25, 0.5), (2, None, 1), (None, 0.0, 1)],
)
def test_a_run_on_a_share_of_a_gpu_counts_by_that_share(new_study, gpus, measured, share) -> None:
    study = new_study(resources__gpus_per_trial=gpus, search__trials=2)
    Executor(study, until="search").run()
    spending = Spending(study)
    runs = len(study.store.trials("search")) + len(study.store.trials("controls"))
    study.store.set_study_attribute(StudyAttribute.GPU_SHARE, measured)  # after the driver has read its limits
    assert spending.device_seconds() == pytest.approx(share * runs * RUN)
    assert spending.run_device_seconds() == pytest.approx(share * RUN)


def test_a_study_without_a_budget_has_no_limits(new_study) -> None:
    study = new_study()
    study.store.set_study_attribute(StudyAttribute.DRIVER_SECONDS, 1e9)
    found = Limits(study)
    assert found.reason("search", 1) is None
    assert not found.expired()


def test_a_study_whose_first_trials_all_fail_stops_with_a_reason(new_study) -> None:
    study = new_study()
    Executor(study, fault=all_trials_fail).run()
    assert set(states(study, "search")) == {"FAIL"}
    assert 5 <= len(states(study, "search")) < 8  # others ran concurrently with the fifth
    assert (
        early_end(study.store, "search").reason == "the first 5 trials all failed, and the others probably would, too"
    )
    assert sequence.state_of(sequence.counts_of(study), held=False, until="confirm") == "failed"


def test_a_resume_after_failures_starts_more_trials(new_study) -> None:
    study = new_study()
    Executor(study, fault=all_trials_fail).run()
    failed = len(states(study, "search"))
    limits.reset(study.store)
    Executor(study).run()
    assert states(study, "search")[failed:] == (8 - failed) * ["COMPLETE"]


def test_the_search_continues_after_one_success_among_failures(new_study) -> None:
    study = new_study()
    Executor(study, fault=all_but_one_fail).run()
    assert len(states(study, "search")) == 8


def test_the_early_end_of_a_phase_is_stored(new_study) -> None:
    study = new_study()
    assert early_end(study.store, "confirm") is None
    cut_short(study.store, "confirm", 2, "reason")
    assert early_end(study.store, "confirm") == EarlyEnd(2, "reason")


def test_the_time_spent_by_a_study(new_study) -> None:
    study = new_study(resources__gpus_per_trial=0.5)
    Executor(study, until="search", slots=1).run()
    spending = Spending(study)
    assert spending.run_seconds() == pytest.approx(RUN)
    assert spending.device_seconds() == pytest.approx(9 * RUN / 2)
    study.store.begin("confirm", {}, {}, {"arm": "search/0", "seed": 1})
    assert spending.device_seconds() == pytest.approx(10 * RUN / 2)
    assert spending.run_device_seconds() == pytest.approx(RUN / 2)
