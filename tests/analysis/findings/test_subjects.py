"""Tests which arms' predictions are shown: one per method, on one test set, with a common seed."""

import copy
from pathlib import Path

import numpy as np
import pytest

from analysis.findings import subjects
from analysis.records import result_files
from trainables.runs.predictions import Predictions, write


@pytest.fixture
def two_studies(content, predictions_of, tmp_path):
    """Returns two studies of the same methods."""
    found = []
    for name in "ab":
        mine = copy.deepcopy(content)
        mine["study"]["name"] = name
        predictions_of(tmp_path / name, mine)
        result_files.write(tmp_path / name / "results", **mine)
        found.append(result_files.read(tmp_path / name / "results"))
    return found


def test_winner_and_one_control_per_method_in_table_order(load, content, with_predictions) -> None:
    found = subjects.collect([load(content)])
    assert [(each.label, each.method, each.arm) for each in found.all] == [
        ("Cross-entropy", "cross_entropy", "cifar100-cs_kd, controls/0"),
        ("CS-KD", "cs_kd", "cifar100-cs_kd, search/7"),
        ("CS-KD-E", "cs_kd_e", "cifar100-cs_kd, controls/1"),
    ]
    assert (found.missing, found.excluded, found.seed) == ((), (), 11)


def test_runs_are_read_by_seed(load, content, with_predictions) -> None:
    results = load(content)
    winner = subjects.collect([results]).all[1]
    run = results.confirmations[(results.confirmations["arm"] == "search/7") & (results.confirmations["seed"] == 12)]
    logits, labels = with_predictions[int(run["trial"].iloc[0])]
    read = winner.read(12)
    np.testing.assert_array_equal(read.logits, logits)
    np.testing.assert_array_equal(read.labels, labels)
    assert read.features.shape == (len(labels), 0)
    assert winner.read(12, features=True).features.shape == logits.shape


def test_winners_of_one_method_get_letters_and_share_a_baseline(two_studies) -> None:
    found = subjects.collect(two_studies)
    assert [(each.label, each.arm) for each in found.all] == [
        ("Cross-entropy", "a, controls/0"),
        ("A: CS-KD", "a, search/7"),
        ("B: CS-KD", "b, search/7"),
        ("CS-KD-E", "a, controls/1"),
    ]


def test_an_arm_with_another_test_set_is_excluded(two_studies) -> None:
    for path in (two_studies[1].folder / "confirm").glob("*/predictions.parquet"):
        logits = np.zeros((50, 10), np.float32)
        write(path, Predictions(logits, logits, np.zeros(50, np.int64)), tuple("0123456789"))
    found = subjects.collect(two_studies)
    assert "b, search/7" not in [each.arm for each in found.all]
    assert found.excluded == ("b, search/7",)


def test_without_a_common_seed_each_shows_its_own(load, content, with_predictions, tmp_path) -> None:
    results = load(content)
    runs = results.confirmations
    for arm, seed in (("search/7", 11), ("controls/0", 12), ("controls/0", 13), ("controls/1", 12)):
        trial = runs.loc[(runs["arm"] == arm) & (runs["seed"] == seed), "trial"].iloc[0]
        Path(tmp_path / "confirm" / str(trial) / "predictions.parquet").unlink()
    found = subjects.collect([results])
    assert found.seed is None
    assert len(found.missing) == 4
    assert found.read(found.all[0]).labels.size == 200


def test_names_of_classes_or_their_numbers(load, content, with_predictions) -> None:
    subject = subjects.collect([load(content)]).all[0]
    assert subject.classes(10) == tuple("0123456789")
    assert subject.classes(3) == ("0", "1", "2")
    assert subject.groups() == ()


def test_without_predictions_there_are_no_subjects(load, content) -> None:
    assert subjects.collect([load(content)]) is None
