"""The Ray Tune searcher, without starting Ray."""

import pickle

from ray.tune.search import Searcher

from study.driver.ray_searcher import StudySearcher
from tests.kit.fakes.executor import Executor


def test_runs_start_and_end_by_rays_trial_ids(new_study) -> None:
    study = new_study(search__trials=1, controls=[], confirm__seeds=[1])
    executor = Executor(study, slots=1)
    searcher = StudySearcher(executor.dispatcher)
    first = searcher.suggest("a")
    assert (first["phase"], first["assignment"].number, first["assignment"].attempt) == ("search", 0, 1)
    assert searcher.suggest("b") is None  # full
    searcher.on_trial_result("a", {"epoch": 1, "metrics/validation/top1_error": 0.5, "other": 1})
    assert executor.watcher.of("epoch") == [("search", 0, 1, 1)]
    searcher.on_trial_complete("a", error=True)  # its worker died
    again = searcher.suggest("c")
    assert (again["assignment"].number, again["assignment"].attempt) == (0, 2)
    assert again["assignment"].config == first["assignment"].config
    executor.stopping = True
    searcher.on_trial_complete("c")
    assert searcher.suggest("d") == Searcher.FINISHED


def test_the_pickled_searcher_holds_no_study_data(new_study) -> None:
    study = new_study()
    searcher = StudySearcher(Executor(study).dispatcher)
    searcher.suggest("a")
    copied = pickle.dumps(searcher)
    assert b"optuna" not in copied
    assert str(study.directory).encode() not in copied
