"""Tests of the overview: one row per study, with the numbers of its best-config table."""

import copy

import pytest

from analysis.findings.best_config import collect
from analysis.findings.overview import overview_table
from analysis.records import result_files
from analysis.words.wording import interval_words, spread


@pytest.fixture
def studies(content, tmp_path):
    """Returns a confirmed study of CIFAR-100 and an unconfirmed one of CUB with another model."""
    other = copy.deepcopy(content) | {"confirmations": []}
    other["study"] |= {"name": "cub", "arms": {}, "finalists": [], "baseline": None}
    other["study"]["config"]["dataset"]["name"] = "cub200"
    other["study"]["config"]["model"]["name"] = "resnet18"
    for name, each in (("a", other), ("b", content)):
        result_files.write(tmp_path / name, **each)
    return [result_files.read(tmp_path / name) for name in "ab"]


def test_rows_by_data_set_model_and_method(studies) -> None:
    table = overview_table(studies)
    assert [row[:3] for row in table.rows] == [
        ("CIFAR-100", "preact_resnet18", "CS-KD"),
        ("CUB-200-2011", "resnet18", "CS-KD"),
    ]
    assert table.heads == 3


def test_numbers_are_those_of_the_best_config_table(studies) -> None:
    table = overview_table(studies)
    line, best = dict(zip(table.columns, table.rows[0], strict=True)), collect(studies[1])
    arm = best.arms[0]
    assert (line["T"], line["λ_cls"]) == (4.1, 0.9)
    assert line["test"] == spread(arm.test.mean, arm.test.std, best.metric)
    assert line["95 % interval"] == interval_words(arm.interval, best.metric)
    assert line["device h"] == 0.076  # of 25 runs of 11 s, two digits
    unconfirmed = dict(zip(table.columns, table.rows[1], strict=True))
    assert (unconfirmed["test"], unconfirmed["n"], unconfirmed["p"]) == (None, None, None)


def test_an_edge_is_named(content, tmp_path) -> None:
    content["study"]["arms"]["search/7"]["config"]["method"]["temperature"] = 16.0
    result_files.write(tmp_path / "c", **content)
    table = overview_table([result_files.read(tmp_path / "c")])
    assert dict(zip(table.columns, table.rows[0], strict=True))["at an edge"] == "T (upper)"


def test_studies_without_a_completed_trial_have_no_row(content, tmp_path) -> None:
    content["study"] |= {"arms": {}, "finalists": [], "baseline": None}
    result_files.write(tmp_path / "d", **content | {"trials": [], "confirmations": []})
    assert overview_table([result_files.read(tmp_path / "d")]).rows == ()
