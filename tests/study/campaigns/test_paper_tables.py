"""Tests of the studies behind each table and figure of the paper."""

import json
from pathlib import Path

import pytest

from analysis.paper import printed as paper
from study.campaigns import paper_tables
from study.campaigns.plan import label_of
from study.errors import UsageError
from trainables.errors import DataError

STORAGE = Path("/nowhere")


def labels_of(config) -> set[str]:
    """Returns the methods that a study searches or has as controls, by their labels in the paper's tables."""
    runs = [config.search_config({}, 0), *(config.control_config(n) for n in range(len(config.controls)))]
    return {paper.method_label({"name": run.method.part_name(), **run.method.model_dump(mode="json")}) for run in runs}


@pytest.mark.parametrize("item", paper_tables.items())
@pytest.mark.parametrize("budget", ["paper", "smoke"])
def test_the_studies_cover_exactly_the_rows_shown(item: str, budget: paper_tables.Budget) -> None:
    planned = paper_tables.plan([item], budget=budget)
    needed = {each.needs for each in planned if each.needs}
    shown = []
    for each in planned:
        if each.needs is None:
            config = paper_tables.config(each, STORAGE, budget, {})
            assert (config.name, label_of(config)) == (each.name, "cs_kd")
            assert labels_of(config) == {row.method for row in each.rows}
            assert {(config.dataset.part_name(), config.model.part_name())} == {row[:2] for row in each.rows}
            departure = paper.comparable(config.search_config({}, 0).model_dump(mode="json") | {"train_on": "full"})
            assert (departure is None) == (budget == "paper" and item != "figure4")
        shown += [] if each.name in needed else each.rows
    assert set(shown) == set(paper_tables.rows(item))
    assert len(shown) == len(set(shown))


def test_the_rows_of_a_table_are_complete() -> None:
    for number in range(1, 7):
        printed = {place[1:4] for place in paper.places() if place.table == number}
        assert set(paper_tables.rows(f"table{number}")) == printed


def test_teachers_come_first_and_once() -> None:
    planned = paper_tables.plan(["table4"], ["cifar100", "cub200"])
    assert [each.name for each in planned] == [
        "table4-cifar100-densenet121_cifar",
        "table4-cub200-densenet121",
        "table4-cifar100-preact_resnet10",
        "table4-cub200-resnet10",
    ]
    assert [each.needs for each in planned] == [None, None, planned[0].name, planned[1].name]
    with pytest.raises(DataError, match="launch it first"):
        paper_tables.config(planned[2], STORAGE, "paper", {})


def test_a_row_of_several_tables_runs_once() -> None:
    (both,) = paper_tables.plan(["table2", "table6"], ["mit67"])
    assert both.name == "table2-table6-mit67-resnet18"
    methods = [row.method for row in both.rows]
    assert len(methods) == len(set(methods))
    assert {"ddgsd", "byot", "cs_kd_e", "cross_entropy"} <= set(methods)


def test_the_paper_grid_is_used_and_overrides_are_applied() -> None:
    (planned,) = paper_tables.plan(["figure2"])
    config = paper_tables.config(planned, STORAGE, "paper", {"confirm.seeds": [7, 8]})
    assert config.planned_trials(config.search.trials) == 8
    assert config.confirm.seeds == (7, 8)
    assert config.training.epochs == 200


@pytest.mark.parametrize(
    ("items", "datasets", "message"),
    [
        (["table7"], [], "table7: no such table or figure; choose from table1"),
        (["figure4"], ["cub200"], "figure4: no data set cub200; choose from bird_dog_indoor"),
    ],
)
def test_unknown_tables_and_data_sets_are_refused(items: list[str], datasets: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        paper_tables.plan(items, datasets)


def test_the_plan_lists_every_study_and_what_is_missing(cskd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CSKD_DATA", str(tmp_path))
    code, out, _ = cskd("reproduce", "table4", "--dataset", "cub200", "--plan", "--json")
    assert code == 0
    found = json.loads(out)
    assert [(each["network"], each["methods"], each["runs"]) for each in found["studies"]] == [
        ("densenet121", 1, None),
        ("resnet10", 4, None),
    ]
    assert "cskd data prepare cub200" in found["notes"][0]
    assert "launch it first" in found["notes"][1]


def test_a_mistake_prints_one_line_and_creates_nothing(cskd, tmp_path: Path) -> None:
    for words in (["table9"], ["table1", "--dataset", "digits"], ["figure2", "--json"], ["figure2", "--set", "no=1"]):
        code, out, err = cskd("reproduce", *words, "--storage", str(tmp_path / "runs"))
        assert (code, out, len(err.splitlines())) == (64, "", 1)
    assert not (tmp_path / "runs").exists()
