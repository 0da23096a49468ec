"""Decisions of the Ray Tune scheduler, without starting Ray."""

import pickle
from types import SimpleNamespace

from ray.tune.schedulers import TrialScheduler

from study.driver.ray_scheduler import StudyScheduler
from study.driver.ray_searcher import StudySearcher
from study.search.pruning import pruner_of
from tests.kit.fakes.executor import Executor


def scheduler_of(study) -> tuple[StudyScheduler, StudySearcher]:
    searcher = StudySearcher(Executor(study, slots=4).dispatcher, pruner_of(study))
    return StudyScheduler(searcher), searcher


def decision(scheduler: StudyScheduler, trial_id: str, value: float, epoch: int = 5) -> str:
    result = {"epoch": epoch, "metrics/validation/top1_error": value}
    return scheduler.on_trial_result(None, SimpleNamespace(trial_id=trial_id), result)


def test_poor_search_trials_are_stopped_and_controls_continue(new_study) -> None:
    study = new_study(search__scheduler={"name": "asha", "min_trials": 2}, training__epochs=8)
    scheduler, searcher = scheduler_of(study)
    phases = {trial_id: searcher.suggest(trial_id)["phase"] for trial_id in "abcd"}
    assert phases == {"a": "controls", "b": "search", "c": "search", "d": "search"}
    assert decision(scheduler, "b", 0.9, epoch=4) == TrialScheduler.CONTINUE  # before the rung
    assert decision(scheduler, "b", 0.2) == TrialScheduler.CONTINUE
    assert decision(scheduler, "c", 0.3) == TrialScheduler.STOP
    assert decision(scheduler, "a", 0.9) == TrialScheduler.CONTINUE
    assert decision(scheduler, "d", 0.1) == TrialScheduler.CONTINUE


def test_without_a_scheduler_all_trials_continue(new_study) -> None:
    scheduler, searcher = scheduler_of(new_study(training__epochs=8))
    for number, trial_id in enumerate("abcd"):
        searcher.suggest(trial_id)
        assert decision(scheduler, trial_id, 0.1 * number) == TrialScheduler.CONTINUE


def test_the_pickled_scheduler_holds_no_study_data(new_study) -> None:
    study = new_study(search__scheduler={"name": "median"}, training__epochs=8)
    scheduler, searcher = scheduler_of(study)
    searcher.suggest("a")
    copied = pickle.dumps(scheduler)
    assert b"optuna" not in copied
    assert str(study.directory).encode() not in copied
