from typing import Any

import pytest

from analysis.findings import table_notes
from analysis.findings.best_config import collect


def notes(load: Any, content: dict[str, Any]) -> str:
    return "\n".join(table_notes.notes(collect(load(content))))


def test_an_interval_around_zero_distinguishes_nothing(load: Any, content: dict[str, Any]) -> None:
    for row, value in zip(content["confirmations"][:3], [0.24, 0.25, 0.26], strict=True):
        row["test/top1_error"] = value
    assert (
        "search/7 against controls/0: difference not distinguishable from zero (95 % interval, n=3 pairs of seeds)."
    ) in notes(load, content)


def test_one_seed_allows_no_test(load: Any, content: dict[str, Any]) -> None:
    content["confirmations"] = [row for row in content["confirmations"] if row["seed"] == 11]
    text = notes(load, content)
    assert "one pair of seeds allows no test" in text
    assert "n=1;" in text
    assert "Welch" not in text


def test_why_the_paper_is_not_comparable(load: Any, content: dict[str, Any]) -> None:
    for arm in content["study"]["arms"].values():
        arm["config"]["training"]["epochs"] = 20
    lines = notes(load, content).split("\n")
    expected = "Paper, cs_kd: 21.99 ± 0.13 (n=3, table 1); not comparable: epochs 20 instead of 200."
    assert lines.count(expected) == 1
    assert not any("its code prints the best" in line for line in lines)


def test_a_published_value_without_spread(load: Any, content: dict[str, Any]) -> None:
    for arm in content["study"]["arms"].values():
        arm["config"]["dataset"]["name"] = "imagenet"
        arm["config"]["model"] = {"name": "resnet50"}
        arm["config"]["training"] |= {"epochs": 90, "batch_size": 256}
    assert "Paper, cs_kd: 23.60 (number of seeds not reported, table 5)." in notes(load, content)


def test_failures_and_best_test_epochs_are_noted(load: Any, content: dict[str, Any]) -> None:
    content["confirmations"][0] |= {"state": "FAIL", "test/top1_error": None}
    for row in content["confirmations"][1:3]:
        row["best_test/top1_error"] = 0.22
    text = notes(load, content)
    assert "search/7: 1 failed confirmation run, not included in the mean." in text
    assert (
        "Test values are from the last epoch; best on test: optimistic, because the epoch was selected on the test set."
    ) in text
    assert "n=2 or 3;" in text


@pytest.mark.parametrize(("worst", "better"), [(False, True), (True, False)])
def test_better_follows_the_goal(load: Any, content: dict[str, Any], *, worst: bool, better: bool) -> None:
    content["study"]["objectives"] = ["validation/recall_at_1"]
    for row in content["confirmations"]:
        row["test/recall_at_1"] = 0.7 if (row["arm"] == "search/7") == worst else 0.6
    assert ("Better test mean" in notes(load, content)) == better


def test_a_search_extended_after_the_test_set_was_read_is_noted(load: Any, extended: dict[str, Any]) -> None:
    text = notes(load, extended)
    assert (
        "The search was extended after the test set had been read: the winner, search/2, was still selected by "
        "validation values only, but earlier test values were known. Optimism: test mean"
    ) in text
    assert "before the test set was read" not in text
    assert "Earlier finalists, confirmed before a longer search found better trials: search/4, search/6." in text
    assert "search/2 against controls/0" in text


def test_a_study_that_was_not_extended_has_no_such_note(load: Any, content: dict[str, Any]) -> None:
    text = notes(load, content | {"study": content["study"] | {"extended": False}})
    assert "The winner, search/7, was selected on validation data before the test set was read." in text
    assert "extended" not in text
    assert "Earlier finalists" not in text
    assert "not complete" not in text


def test_a_winner_without_a_test_value_is_noted(load: Any, extended: dict[str, Any]) -> None:
    extended["confirmations"] = [row for row in extended["confirmations"] if row["arm"] != "search/2"]
    text = notes(load, extended)
    assert text.startswith("The confirmation of the winner, search/2, is not complete: it has no test value")
    assert "n=3; trained on the full training set" in text
    assert "The search was extended after the test set had been read" in text
    assert "Δ to CE: mean difference, arm minus controls/0" in text
    assert "search/2 against" not in text
    assert "Better test mean" not in text
    assert "Not confirmed yet" not in text


def test_an_extension_is_noted_when_no_confirmation_is_complete(load: Any, extended: dict[str, Any]) -> None:
    text = notes(load, extended | {"confirmations": []})
    assert text.startswith("Not confirmed yet: the value of search/2 is a search value")
    assert "The search was extended after the test set had been read" in text


def test_a_teacher_trained_on_the_validation_split_is_noted(load, content) -> None:
    sentence = "The teacher was trained on all training images"
    assert not any(note.startswith(sentence) for note in table_notes.notes(collect(load(content))))
    config = content["study"]["arms"]["search/7"]["config"]
    config["method"] = {"name": "kd", "temperature": 4.0, "teacher": {"sha256": "0", "trained_on": "full"}}
    assert any(note.startswith(sentence) for note in table_notes.notes(collect(load(content))))
