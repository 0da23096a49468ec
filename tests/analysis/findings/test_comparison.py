"""Tests of the comparison of studies: obstacles, tests and verdicts."""

import copy
import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from analysis.findings import comparison
from analysis.records import result_files
from analysis.tables import table as tables

A = (0.2230, 0.2225, 0.2236)
B = (0.2110, 0.2118, 0.2121)


@pytest.fixture
def study(content, tmp_path):
    """Returns a factory of results, given the winner's test values for the seeds 11, 12, 13, and other changes."""
    made = 0

    def make(values=A, *, change=dict, name="cifar100-cs_kd"):
        nonlocal made
        made += 1
        mine = copy.deepcopy(content)
        mine["study"] |= {"name": name, "digests": {"split": "s", "data": "d"}}
        rows = [row for row in mine["confirmations"] if row["arm"] == "search/7"]
        for row, value in zip(rows, values, strict=False):
            row["test/top1_error"] = value
        change(mine)
        result_files.write(tmp_path / str(made), **mine)
        return result_files.read(tmp_path / str(made))

    return make


def test_pairs_by_seed_if_seeds_model_and_steps_are_equal(study) -> None:
    found = comparison.compare([study(A), study(B, name="other")])
    (pair,) = found.pairs
    expected = stats.ttest_rel(B, A)
    assert pair.difference.test == "paired by seed"
    assert pair.difference.mean == pytest.approx(np.mean(B) - np.mean(A))
    assert pair.difference.p == pytest.approx(expected.pvalue)
    assert pair.difference.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert pair.verdict.startswith("B minus A: −1.14 (95 % interval −1.3")
    assert pair.verdict.endswith("paired by seed, n=3): the winner of B is better.")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["study"]["config"]["model"].update(width=32),
        lambda content: content["study"]["config"]["training"].update(epochs=100),
        lambda content: [row.update(seed=row["seed"] + 1) for row in content["confirmations"]],
    ],
)
def test_welch_if_runs_of_a_seed_are_not_comparable(study, change) -> None:
    (pair,) = comparison.compare([study(B), study(A, change=change)]).pairs
    expected = stats.ttest_ind(A, B, equal_var=False)
    assert pair.difference.test == "Welch"
    assert pair.difference.p == pytest.approx(expected.pvalue)
    assert pair.difference.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert pair.verdict.endswith("n=3 and 3): the winner of A is better.")


def test_a_difference_within_its_interval_is_not_distinguishable(study) -> None:
    (pair,) = comparison.compare([study(A), study((0.2200, 0.2260, 0.2231))]).pairs
    assert pair.verdict.endswith("not distinguishable from zero.")


def test_a_metric_whose_larger_values_are_better(study) -> None:
    def recall(content):
        content["study"]["objectives"] = ["validation/recall_at_1"]
        for row in content["confirmations"]:
            row["test/recall_at_1"] = row["test/top1_error"]
        for row in content["trials"]:
            row["validation/recall_at_1"] = row["validation/top1_error"]

    (pair,) = comparison.compare([study(A, change=recall), study(B, change=recall)]).pairs
    assert pair.verdict.endswith("the winner of A is better.")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda content: content["study"]["digests"].update(data="other"), "the training data differ"),
        (lambda content: content["study"]["digests"].update(split="other"), "the validation split differs"),
        (lambda content: content["study"].update(digests={"split": "s"}), "the digest of the training data was not"),
        (
            lambda content: content["study"].update(objectives=["validation/nll"]),
            "the objectives are validation/top1_error and validation/nll",
        ),
        (
            lambda content: [row.update(trained_on="train") for row in content["confirmations"]],
            "the confirmations were trained on full and on train",
        ),
    ],
)
def test_incomparable_studies_get_no_verdict(study, change, why: str) -> None:
    (pair,) = comparison.compare([study(A), study(B, change=change)]).pairs
    assert pair.difference is None
    assert any(why in obstacle for obstacle in pair.obstacles)
    assert pair.verdict.startswith(f"B against A: not comparable: {pair.obstacles[0]}")


def test_a_study_without_confirmation_and_one_without_trials(study, unconfirmed) -> None:
    def drop(content):
        content.update(confirmations=[])
        content["study"].update(finalists=[], arms={}, baseline=None)

    def fail(content):
        drop(content)
        content["trials"] = [row | {"state": "FAIL"} for row in content["trials"]]

    found = comparison.compare([study(A), study(change=drop), study(change=fail)])
    assert [pair.verdict for pair in found.pairs] == [
        "B against A: B is not confirmed; no verdict.",
        "C against A: C is not confirmed; no verdict.",
    ]
    assert (found.sides[1].winner, found.sides[1].search_value) == ("search/7", 0.2295)
    assert found.sides[2].winner is None


def test_one_seed_allows_no_test(study) -> None:
    def one(content):
        content["confirmations"] = [row for row in content["confirmations"] if row["seed"] == 11]

    (pair,) = comparison.compare([study(A, change=one), study(B, change=one)]).pairs
    assert "these seeds allow no test; confirm with more." in pair.verdict
    assert comparison.welch([0.1, 0.1], [0.2, 0.2]).interval is None


def test_differing_settings_of_the_study_files(study) -> None:
    space = {"temperature": {"low": 0.5, "high": 16.0, "log": True}}

    def change(content):
        content["study"]["config"]["training"]["lr"] = 0.05
        content["study"]["config"]["search"] = {"space": space, "vary_seed": False}
        content["study"]["config"]["controls"] = [{"method": "cross_entropy"}]

    found = comparison.compare([study(), study(change=change)])
    assert found.settings == {
        "training.lr": (0.1, 0.05),
        "search.space.temperature": (None, space["temperature"]),
        "search.vary_seed": (None, False),
        "controls": (None, [{"method": "cross_entropy"}]),
    }
    table = comparison.settings_table(found)
    assert table.rows[0] == ("training.lr", "0.1", "0.05")
    assert table.rows[1] == ("search.space.temperature", None, "low 0.5 high 16 log true")
    assert table.rows[3] == ("controls", None, "method cross_entropy")
    assert comparison.settings_table(comparison.compare([study(), study()])).notes == (
        "The study files do not differ.",
    )


def test_tables_fit_80_columns_and_hostile_names_stay_text(study) -> None:
    name = "x\x1b[31m\n\0<script>" + 10_000 * "y"
    found = comparison.compare([study(), study(B, name=name)])
    for table in (comparison.settings_table(found), comparison.winners_table(found)):
        text = tables.to_text(table)
        assert max(map(len, text.splitlines())) <= 80
        assert not set(text) & {"\x1b", "\0"}
    assert json.loads(json.dumps(asdict(found)))["sides"][1]["study"] == name


def test_one_study_is_refused(study) -> None:
    with pytest.raises(ValueError, match="takes 2 to 26 studies, not 1"):
        comparison.compare([study()])
