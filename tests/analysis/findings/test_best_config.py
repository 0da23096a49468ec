import statistics
from typing import Any

import pytest

from analysis.findings.best_config import collect, winner_config
from analysis.findings.best_config_table import best_config_table
from analysis.records.result_files import ResultsError


def values(content: dict[str, Any], arm: str) -> list[float]:
    return [row["test/top1_error"] for row in content["confirmations"] if row["arm"] == arm]


def test_the_winner_comes_first_and_nothing_is_moved_by_its_test_value(load: Any, content: dict[str, Any]) -> None:
    best = collect(load(content))
    assert [arm.name for arm in best.arms] == ["search/7", "search/4", "search/6", "controls/0", "controls/1"]
    assert [arm.role for arm in best.arms] == ["winner", "finalist", "finalist", "control", "control"]
    assert [arm.method for arm in best.arms] == ["cs_kd", "cs_kd", "cs_kd", "cross_entropy", "cs_kd_e"]
    assert best.confirmed
    assert (best.study, best.dataset, best.model) == ("cifar100-cs_kd", "cifar100", "preact_resnet18")
    assert min(best.arms, key=lambda arm: arm.test.mean if arm.test else 1).name != "search/7"


def test_a_longer_search_keeps_confirmed_arms(load: Any, extended: dict[str, Any]) -> None:
    best = collect(load(extended))
    assert [(arm.name, arm.role) for arm in best.arms] == [
        ("search/2", "winner"),
        ("search/7", "finalist"),
        ("search/4", "earlier finalist"),
        ("search/6", "earlier finalist"),
        ("controls/0", "control"),
        ("controls/1", "control"),
    ]
    assert best.extended
    earlier = best.arms[2]
    assert earlier.test is not None
    assert earlier.test.mean == pytest.approx(statistics.mean(values(extended, "search/4")))
    assert earlier.difference is not None


def test_an_arm_without_confirmation_runs_is_not_an_earlier_finalist(load: Any, extended: dict[str, Any]) -> None:
    extended["confirmations"] = [row for row in extended["confirmations"] if row["arm"] != "search/4"]
    assert "search/4" not in [arm.name for arm in collect(load(extended)).arms]


def test_a_study_is_not_extended_by_default(load: Any, content: dict[str, Any]) -> None:
    assert not collect(load(content)).extended


@pytest.mark.parametrize("state", [None, "RUNNING", "FAIL"])
def test_other_arms_are_shown_while_the_winner_is_not_confirmed(
    load: Any, extended: dict[str, Any], state: str | None
) -> None:
    others = [row for row in extended["confirmations"] if row["arm"] != "search/2"]
    winners = [row for row in extended["confirmations"] if row["arm"] == "search/2"]
    begun = [row | {"state": state, "test/top1_error": None} for row in winners] if state else []
    best = collect(load(extended | {"confirmations": others + begun}))
    assert not best.confirmed
    assert (best.arms[0].name, best.arms[0].role, best.arms[0].test) == ("search/2", "winner", None)
    assert all(arm.test for arm in best.arms[1:])


def test_numbers_of_the_winner_by_hand(load: Any, content: dict[str, Any]) -> None:
    winner = collect(load(content)).arms[0]
    ours, theirs = values(content, "search/7"), values(content, "controls/0")
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    assert winner.seeds == (11, 12, 13)
    assert winner.test == pytest.approx((statistics.mean(ours), statistics.stdev(ours), 3))
    half = 4.302653 * statistics.stdev(differences) / 3**0.5
    assert winner.difference is not None
    mean = statistics.mean(differences)
    assert winner.difference.interval == pytest.approx((mean - half, mean + half), rel=1e-5)
    reduction = 100 * (statistics.mean(theirs) - statistics.mean(ours)) / statistics.mean(theirs)
    assert winner.error_reduction == pytest.approx(reduction)
    assert winner.optimism == pytest.approx(statistics.mean(ours) - 0.2295)
    assert winner.hyperparameters == {"temperature": 4.1, "lambda_cls": 0.9, "lambda_e": 0.0}
    assert winner.published is not None
    assert winner.published.mean == 0.2199
    assert winner.not_comparable is None


def test_the_baseline_is_not_compared_with_itself(load: Any, content: dict[str, Any]) -> None:
    baseline = collect(load(content)).arms[3]
    assert baseline.test is not None
    assert baseline.difference is None
    assert baseline.error_reduction is None


def test_only_common_seeds_are_paired_and_failures_are_counted(load: Any, content: dict[str, Any]) -> None:
    content["confirmations"][0] |= {"state": "FAIL", "test/top1_error": None}
    winner = collect(load(content)).arms[0]
    ours, theirs = values(content, "search/7")[1:], values(content, "controls/0")[1:]
    assert winner.seeds == (12, 13)
    assert winner.failed == 1
    assert winner.difference is not None
    assert winner.difference.n == 2
    assert winner.difference.mean == pytest.approx(statistics.mean(ours) - statistics.mean(theirs))
    assert winner.error_reduction == pytest.approx(100 * (1 - sum(ours) / sum(theirs)))


def test_a_single_seed_has_no_interval(load: Any, content: dict[str, Any]) -> None:
    content["confirmations"] = [row for row in content["confirmations"] if row["seed"] == 11]
    winner = collect(load(content)).arms[0]
    assert winner.test is not None
    assert winner.test.std is None
    assert winner.interval is None
    assert winner.difference is not None
    assert winner.difference.interval is None


def test_without_a_baseline(load: Any, content: dict[str, Any]) -> None:
    content["study"]["baseline"] = None
    assert all(arm.difference is None for arm in collect(load(content)).arms)


def test_the_best_test_epoch_is_kept_apart(load: Any, content: dict[str, Any]) -> None:
    for row in content["confirmations"]:
        row["best_test/top1_error"] = row["test/top1_error"] - 0.001
    winner = collect(load(content)).arms[0]
    assert winner.test is not None
    assert winner.best_test is not None
    assert winner.best_test.mean == pytest.approx(winner.test.mean - 0.001)


def test_last_epoch_best_validation_and_best_test_are_shown_side_by_side(load: Any, content: dict[str, Any]) -> None:
    for row in content["confirmations"]:
        row["best_test/top1_error"] = row["test/top1_error"] - 0.02
        row["at_best_validation/top1_error"] = row["test/top1_error"] + 0.01
    best = collect(load(content))
    winner, table = best.arms[0], best_config_table(best)
    assert winner.test is not None
    assert winner.at_best_validation is not None
    assert winner.at_best_validation.mean == pytest.approx(winner.test.mean + 0.01)
    place = table.columns.index("test %")
    assert table.columns[place + 2 : place + 4] == ("at best validation %", "best on test %")
    shown = [float(str(table.rows[0][at]).split()[0]) for at in (place, place + 2, place + 3)]
    assert shown == pytest.approx([shown[0], shown[0] + 1, shown[0] - 2])
    assert any(
        "at best validation: from the epoch selected on validation data; best on test" in note for note in table.notes
    )


def test_a_run_on_the_training_part_is_not_comparable(load: Any, content: dict[str, Any]) -> None:
    for row in content["confirmations"]:
        row["trained_on"] = "train"
    winner = collect(load(content)).arms[0]
    assert winner.trained_on == "train"
    assert winner.not_comparable == "validation split left out of training"


def test_searched_training_options_are_hyperparameters(load: Any, content: dict[str, Any]) -> None:
    content["study"]["distributions"]["training.lr"] = {"low": 0.01, "high": 0.3}
    assert collect(load(content)).arms[0].hyperparameters["training.lr"] == 0.1


def test_training_options_that_differ_are_shown_for_every_arm(load: Any, content: dict[str, Any]) -> None:
    assert "λ_wd" not in best_config_table(collect(load(content))).columns
    content["study"]["arms"]["controls/1"]["config"]["training"]["weight_decay"] = 5e-4
    best = collect(load(content))
    usual = content["study"]["arms"]["controls/0"]["config"]["training"]["weight_decay"]
    assert [arm.hyperparameters["training.weight_decay"] for arm in best.arms] == [*[usual] * 4, 5e-4]
    assert "λ_wd" in best_config_table(best).columns


def test_before_confirmation_the_best_search_trial_is_shown(load: Any, unconfirmed: dict[str, Any]) -> None:
    for row in unconfirmed["trials"]:
        row["params/training.lr"] = 0.05
    unconfirmed["study"]["distributions"]["training.lr"] = {"low": 0.01, "high": 0.3}
    best = collect(load(unconfirmed))
    assert not best.confirmed
    (only,) = best.arms
    assert (only.name, only.role, only.search_value, only.test) == ("search/7", "candidate", 0.2295, None)
    expected = {"temperature": 4.1, "lambda_cls": 0.9, "lambda_e": 0.0, "training.lr": 0.05}
    assert only.hyperparameters == expected


def test_the_winner_to_train_with(load: Any, content: dict[str, Any]) -> None:
    chosen = winner_config(load(content))
    assert list(chosen) == ["dataset", "model", "method", "training", "train_on", "seed"]
    assert (chosen["train_on"], chosen["seed"]) == ("full", 11)
    assert chosen["method"] == {"name": "cs_kd", "temperature": 4.1, "lambda_cls": 0.9, "lambda_e": 0.0}


def test_without_confirmation_there_is_no_winner(load: Any, unconfirmed: dict[str, Any]) -> None:
    with pytest.raises(ResultsError, match="no confirmed winner yet; run `cskd resume`"):
        winner_config(load(unconfirmed))


def test_without_a_confirmation_run_of_the_winner_there_is_no_winner(load: Any, content: dict[str, Any]) -> None:
    content["confirmations"] = [row for row in content["confirmations"] if row["arm"] != "search/7"]
    with pytest.raises(ResultsError, match="no confirmed winner yet"):
        winner_config(load(content))
    assert not collect(load(content)).confirmed


def test_without_a_completed_trial_collect_fails(load: Any, unconfirmed: dict[str, Any]) -> None:
    with pytest.raises(ResultsError, match="no search trial of 'cifar100-cs_kd' has completed"):
        collect(load(unconfirmed | {"trials": unconfirmed["trials"][5:6]}))


def test_errors_of_another_direction_have_no_reduction(load: Any, content: dict[str, Any]) -> None:
    content["study"]["objectives"] = ["validation/recall_at_1"]
    for row in content["confirmations"]:
        row["test/recall_at_1"] = 1 - row["test/top1_error"]
    winner = collect(load(content)).arms[0]
    assert winner.error_reduction is None
    assert winner.difference is not None
    assert winner.difference.mean > 0
