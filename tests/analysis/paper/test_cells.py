"""Tests the paper's tables: printed cells, our values, their comparison and layout."""

import copy
from collections import Counter

import pytest
from scipy import stats

from analysis.paper import cells, layout
from analysis.paper.printed import published
from analysis.records import result_files
from analysis.statistics.over_seeds import mean_std
from analysis.tables import table as tables


@pytest.fixture
def study(content, tmp_path):
    """Returns a factory of results from the usual study with changes."""
    made = 0

    def make(change=dict):
        nonlocal made
        made += 1
        mine = copy.deepcopy(content)
        change(mine)
        result_files.write(tmp_path / str(made), **mine)
        return result_files.read(tmp_path / str(made))

    return make


def cell(found, number, method, dataset="cifar100", metric="top1_error", model="preact_resnet18"):
    (table,) = (table for table in found if table.number == number)
    (wanted,) = (c for c in table.cells if c.place[1:] == (dataset, model, method, metric))
    return wanted


def test_a_table_holds_every_cell_that_the_paper_prints(study) -> None:
    found = cells.collect([study()])
    assert Counter({table.number: len(table.cells) for table in found}) == {1: 60, 2: 20, 3: 20}
    for table in found:
        for each in table.cells:
            assert each.printed == published(*each.place[1:])


def test_values_are_those_of_the_winners_confirmation(study, content) -> None:
    mine = cell(cells.collect([study()]), 1, "cs_kd")
    values = [run["test/top1_error"] for run in content["confirmations"] if run["arm"] == "search/7"]
    assert mine.ours == mean_std(values)
    assert mine.origin[:3] == ("cifar100-cs_kd", "search/7", "winner")


def test_reductions_come_from_unrounded_means(study) -> None:
    found = cells.collect([study()])
    mine, baseline = cell(found, 1, "cs_kd"), cell(found, 1, "cross_entropy")
    assert mine.reduction == pytest.approx(100 * (1 - mine.ours.mean / baseline.ours.mean), rel=1e-12)
    assert mine.printed_reduction == pytest.approx(11.0, abs=0.05)
    assert cell(found, 3, "cs_kd").reduction is None


@pytest.mark.parametrize(
    ("dataset", "model", "printed"),
    [
        ("cifar100", "preact_resnet18", 11.0),
        ("tiny_imagenet", "preact_resnet18", 4.4),
        ("cub200", "resnet18", 27.7),
        ("stanford_dogs", "densenet121", 16.7),
        ("mit67", "densenet121", 4.2),
    ],
)
def test_the_papers_reductions_are_the_printed_ones(study, dataset, model, printed) -> None:
    each = cell(cells.collect([study()]), 1, "cs_kd", dataset, model=model)
    assert round(each.printed_reduction, 1) == printed


def test_agreement_is_welchs_test_from_summaries(study) -> None:
    mine = cell(cells.collect([study()]), 1, "cs_kd")
    expected = stats.ttest_ind_from_stats(
        mine.ours.mean, mine.ours.std, mine.ours.n, 0.2199, 0.0013, 3, equal_var=False
    )
    assert mine.obstacle is None
    assert mine.p == pytest.approx(expected.pvalue)
    assert mine.agreement == ("agrees" if expected.pvalue > 0.05 else "differs")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda arm: arm["training"].update(epochs=15), "epochs 15 instead of 200"),
        (lambda arm: arm["dataset"]["subset"].update(classes=10), "part of the data"),
        (lambda arm: arm["model"].update(width=16), "width 16 instead of 64"),
    ],
)
def test_other_protocols_are_not_compared(study, change, reason) -> None:
    def all_arms(content):
        for arm in content["study"]["arms"].values():
            change(arm["config"])

    mine = cell(cells.collect([study(all_arms)]), 1, "cs_kd")
    assert (mine.agreement, mine.p, mine.obstacle) == ("not comparable", None, reason)


def test_comparable_studies_and_more_seeds_are_preferred(study) -> None:
    def short(content):
        content["study"]["name"] = "short"
        for arm in content["study"]["arms"].values():
            arm["config"]["training"]["epochs"] = 10

    def one_seed(content):
        content["study"]["name"] = "one"
        content["confirmations"] = [run for run in content["confirmations"] if run["seed"] == 11]

    found = cells.collect([study(short), study(one_seed), study()])
    assert cell(found, 1, "cs_kd").origin.study == "cifar100-cs_kd"
    assert cell(cells.collect([study(short), study(one_seed)]), 1, "cs_kd").origin.study == "one"


def test_the_best_of_a_column_is_marked_on_both_sides(study) -> None:
    found = cells.collect([study()])
    assert [c.place.method for c in found[0].cells if c.best] == ["cs_kd"]
    printed = [c.place.method for c in found[1].cells if c.printed_best]
    assert printed == ["ddgsd", "cs_kd", "cs_kd", "cs_kd", "cs_kd"]  # TinyImageNet goes to DDGSD, 41.48 %


def test_larger_recall_is_better(study) -> None:
    def recall(content):
        for run in content["confirmations"]:
            run["test/recall_at_1"] = 0.7 if run["arm"] == "controls/0" else 0.6

    found = cells.collect([study(recall)])
    best = [c.place.method for table in found if table.number == 6 for c in table.cells if c.best]
    assert best == ["cross_entropy"]
    assert cell(found, 6, "cs_kd_e", metric="recall_at_1").ours.mean == pytest.approx(0.6)


def test_data_sets_that_the_paper_does_not_use_have_no_table(study) -> None:
    def digits(content):
        for arm in content["study"]["arms"].values():
            arm["config"]["dataset"]["name"] = "digits"

    assert cells.collect([study(digits)]) == ()


def test_layout_has_the_papers_rows_and_columns_and_leaves_missing_cells_empty(study) -> None:
    table = layout.layout(cells.collect([study()])[0])
    assert table.columns[:4] == ("Model", "Method", "CIFAR-100", "CIFAR-100, paper")
    assert len(table.columns) == 2 + 2 * 5
    assert [row[1] for row in table.rows[:6]] == [
        *("Cross-entropy", "AdaCos", "Virtual-softmax", "Maximum-entropy", "Label-smoothing", "CS-KD"),
    ]
    assert [row[0] for row in table.rows] == ["ResNet-18"] * 6 + ["DenseNet-121"] * 6
    assert sum(row[2] is not None for row in table.rows) == 2
    assert table.rows[5][3] == "21.99 ± 0.13 (−11.0 %)"
    assert isinstance(table.rows[5][2], tables.Strong)
    assert all(row[i] is None for row in table.rows for i in range(4, 12, 2))


def test_a_narrow_layout_has_only_our_data_sets_but_all_rows(study) -> None:
    table = layout.layout(cells.collect([study()])[0], filled_only=True)
    assert table.columns == ("Model", "Method", "CIFAR-100", "CIFAR-100, paper")
    assert len(table.rows) == 12


def test_layout_of_tables_without_models_and_with_measures(study) -> None:
    def calibrated(content):
        for run in content["confirmations"]:
            run["test/ece"] = 0.05

    table = layout.layout(cells.collect([study(calibrated)])[-1])
    assert table.columns[:2] == ("Measure", "Method")
    assert list(dict.fromkeys(row[0] for row in table.rows)) == ["Top-5 ↓", "ECE ↓", "R@1 ↑"]
    assert len(table.rows) == 21


def test_notes_state_origins_and_obstacles(study) -> None:
    def short(content):
        content["study"]["arms"]["search/7"]["config"]["training"]["epochs"] = 10

    notes = layout.layout(cells.collect([study(short)])[0]).notes
    assert any(
        note.startswith("†: not comparable with the paper (CS-KD on CIFAR-100, ResNet-18): epochs") for note in notes
    )
    assert "CS-KD on CIFAR-100, ResNet-18: from cifar100-cs_kd, search/7 (winner)." in notes


def test_the_sheet_has_one_row_per_cell_with_unrounded_values(study) -> None:
    found = cells.collect([study()])
    sheet = layout.sheet(found)
    assert len(sheet.rows) == 100
    line = dict(zip(sheet.columns, sheet.rows[25], strict=True))
    mine = cell(found, 1, "cs_kd")
    assert (line["method"], line["mean"], line["paper_mean"], line["p"]) == ("cs_kd", mine.ours.mean, 0.2199, mine.p)


def test_imagenet_has_no_standard_deviation_and_so_no_test(study) -> None:
    def imagenet(content):
        for arm in content["study"]["arms"].values():
            arm["config"]["dataset"]["name"], arm["config"]["model"]["name"] = "imagenet", "resnet50"
            arm["config"]["training"] |= {"epochs": 90, "batch_size": 256}

    (table,) = cells.collect([study(imagenet)])
    laid = layout.layout(table)
    assert (table.number, laid.columns) == (5, ("Model", "Method", "ours", "paper"))
    mine = cell([table], 5, "cs_kd", "imagenet", model="resnet50")
    assert (mine.obstacle, mine.agreement, mine.printed.std) == (None, "not tested", None)
    assert laid.rows[1][:2] == ("ResNet-50", "CS-KD")
    assert laid.rows[1][3] == "23.60"
