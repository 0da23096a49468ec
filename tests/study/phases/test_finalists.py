"""The order of trials, and the arms that are confirmed."""

from optuna.trial import TrialState

from study.phases import finalists
from study.phases.sequence import phases_of
from study.search import ranking
from trainables.runs.run_directory import EpochRow, RunDirectory


def complete(study, *values: float, nll: float | None = None, temperature: float = 1.0):
    """Adds a completed search trial, with a last epoch if ``nll`` is given."""
    trial = study.store.begin("search", {"temperature": temperature, "lambda_cls": 1.0}, study.config.space(), {})
    if nll is not None:
        run = RunDirectory(study.directory / "trials" / str(trial.number))
        run.append_epoch(EpochRow(1, 1, {"validation/nll": nll}, 0.1, 0.0))
    study.store.tell(trial, TrialState.COMPLETE, values, 1, None)
    return trial


def numbers(study) -> list[int]:
    return [trial.number for trial in ranking.ranked(study)]


def test_ranking_by_objective_then_nll_then_number(new_study) -> None:
    study = new_study()
    for value, nll in [(0.3, 0.1), (0.2, 0.9), (0.2, 0.5), (0.2, 0.9), (0.2, None), (0.4, 0.0), (0.0, 0.7)]:
        complete(study, value, nll=nll)
    failed = study.store.begin("search", {}, {}, {})
    study.store.tell(failed, TrialState.FAIL, None, 1, "NaN")
    pruned = study.store.begin("search", {}, {}, {})
    study.store.tell(pruned, TrialState.PRUNED, [0.01], 1, None)
    study.store.begin("search", {}, {}, {})
    assert numbers(study) == [6, 2, 1, 3, 4, 0, 5]


def test_ranking_by_a_maximized_objective(new_study) -> None:
    study = new_study(search__objectives=["validation/recall_at_1"])
    for value in (0.3, 0.9, 0.5):
        complete(study, value)
    assert numbers(study) == [1, 2, 0]


def test_with_two_objectives_the_pareto_front_ranks_first(new_study) -> None:
    study = new_study(search__objectives=["validation/top1_error", "validation/recall_at_1"])
    for error, recall in [(0.30, 0.9), (0.11, 0.3), (0.10, 0.4), (0.31, 0.8), (0.15, 0.85)]:
        complete(study, error, recall)
    assert numbers(study) == [2, 4, 0, 1, 3]
    assert finalists.finalists(study)[0].value == 0.10
    assert phases_of(study)[-1].objectives == ("test/top1_error", "test/recall_at_1")


def test_finalists_are_the_best_trials_with_their_configurations(new_study) -> None:
    study = new_study(confirm__finalists=2)
    for value, temperature in [(0.3, 1.0), (0.1, 4.0), (0.2, 1.0)]:
        complete(study, value, temperature=temperature)
    found = finalists.finalists(study)
    assert [(arm.label, arm.value) for arm in found] == [("search/1", 0.1), ("search/2", 0.2)]
    assert found[0].config == study.config.search_config({"temperature": 4.0, "lambda_cls": 1.0}, 1)
    assert [finalists.arm_from(study, arm.label) for arm in found] == found
