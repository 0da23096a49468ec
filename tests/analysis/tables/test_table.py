import csv
import io
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.findings.best_config import collect
from analysis.findings.best_config_table import best_config_table
from analysis.tables.table import Table, escape, to_csv, to_markdown, to_text

SMALL = Table("title", ("arm", "method", "value"), (("a", "cs_kd", 0.5), ("bb", None, 12)), ("A note.",))
hostile = st.text(st.characters(), max_size=120)


def display_width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def test_text() -> None:
    assert to_text(SMALL) == (
        "title\n\narm  method  value\n───  ──────  ─────\na    cs_kd     0.5\nbb   –          12\n\nA note.\n"
    )


def test_markdown() -> None:
    assert to_markdown(SMALL) == (
        "**title**\n\n| arm | method | value |\n| --- | --- | --- |\n"
        "| a | cs_kd | 0.5 |\n| bb | – | 12 |\n\n* A note.\n"
    )


def test_csv_keeps_numbers_exact() -> None:
    assert to_csv(SMALL) == "arm,method,value\na,cs_kd,0.5\nbb,,12\n"
    numbers = Table("", ("x",), ((0.1 + 0.2,), (-1e-300,), (-3,)))
    assert [float(line) for line in to_csv(numbers).split()[1:]] == [0.1 + 0.2, -1e-300, -3]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_has_no_formulas(start: str) -> None:
    cell = next(csv.reader(io.StringIO(to_csv(Table("", (f"{start}cmd()",), ())))))[0]
    assert cell == "'" + escape(f"{start}cmd()")


@settings(max_examples=50, deadline=None)
@given(st.lists(hostile, min_size=3, max_size=3), hostile, hostile)
@example(["=1+1", "a\nb", "\u202e"], "\u4e2d" * 90, "\x1b[31m")
def test_hostile_text_breaks_no_table(cells: list[str], title: str, note: str) -> None:
    table = Table(title, ("arm", "x" * 30, "y" * 30), ((*cells[:1], 1.5, cells[1]), ("b", cells[2], None)), (note,))
    text, sheet, page = to_text(table), to_csv(table), to_markdown(table)
    assert all(display_width(line) <= 80 for line in text.split("\n"))
    for rendered in (text, sheet, page):
        assert not any(unicodedata.category(c)[0] == "C" for c in rendered.replace("\n", ""))
    rows = list(csv.reader(io.StringIO(sheet)))
    assert [len(row) for row in rows] == [3, 3, 3]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert rows[1][0].removeprefix("'") == escape(cells[0]).removeprefix("'")
    bars = [
        line.replace("\\\\", "").replace("\\|", "").count("|") for line in page.split("\n") if line.startswith("| ")
    ]
    assert bars == [4, 4, 4, 4]


def test_the_best_config_table(load: Any, content: dict[str, Any]) -> None:
    text = to_text(best_config_table(collect(load(content))))
    lines = text.split("\n")
    assert max(map(display_width, lines)) <= 80
    assert lines[3].split() == ["arm", "method", "T", "λ_cls", "λ_E", "validation", "%", "test", "%", "n"]
    assert lines[5].split() == ["search/7", "cs_kd", "4.1", "0.9", "0", "22.95", "22.32", "±", "0.05", "3"]
    assert lines[8].split() == ["controls/0", "cross_entropy", "–", "–", "–", "25.34", "24.68", "±", "0.05", "3"]
    assert lines[11].startswith("arm         Δ to CE   95 % interval       p  reduction %  optimism       paper %")
    assert lines[13].split()[:5] == ["search/7", "−2.36", "−2.38", "to", "−2.33"]
    assert lines[13].endswith("9.6     −0.63  21.99 ± 0.13")
    assert lines[19].split() == ["arm", "device", "h"]
    assert lines[21].split() == ["search/7", "0.012"]  # 4 runs of 11 s
    plain = " ".join(text.split())
    assert "all runs of the study together: 0.076." in plain
    assert "sample standard deviation over fresh seeds, n=3" in plain
    assert "The winner, search/7, was selected on validation data before the test set was read." in plain
    assert "Better test mean than the winner's: search/4, controls/1. The winner stays" in plain
    assert (
        "search/7 against controls/0: difference distinguishable from zero (95 % interval, n=3 pairs of seeds)."
        in plain
    )
    assert "search/7 differs from it (+0.33, Welch's t-test, p = 0.034)" in plain
    assert "not comparable" not in plain


def test_arms_at_an_edge_are_marked(load: Any, content: dict[str, Any]) -> None:
    for name in ("search/7", "controls/1"):  # a control's value was not searched
        content["study"]["arms"][name]["config"]["method"]["temperature"] = 0.5
    table = best_config_table(collect(load(content)))
    assert [row[table.columns.index("at an edge")] for row in table.rows] == ["T (lower)", None, None, None, None]
    assert any(
        "To check, run a study with temperature: {low: 0.2102, high: 16, log: true}." in note for note in table.notes
    )


def test_the_best_config_table_while_the_winner_is_not_confirmed(load: Any, extended: dict[str, Any]) -> None:
    extended["confirmations"] = [row for row in extended["confirmations"] if row["arm"] != "search/2"]
    table = best_config_table(collect(load(extended)))
    tests = [row[table.columns.index("test %")] for row in table.rows]
    assert table.rows[0][0] == "search/2"
    assert tests[0] is None
    assert None not in tests[1:]
    assert "search/2, is not complete" in " ".join(to_text(table).split())


def test_the_best_config_table_before_confirmation(load: Any, unconfirmed: dict[str, Any]) -> None:
    table = best_config_table(collect(load(unconfirmed)))
    assert table.columns == ("arm", "method", "T", "λ_cls", "validation %", "paper %", "device h")
    assert table.rows == (("search/7", "cs_kd", 4.1, 0.9, "22.95", "21.99 ± 0.13", 0.0031),)  # 11 s
    assert table.notes[0].startswith("Not confirmed yet: the value of search/7 is a search value, optimistic")


def test_a_parameter_that_is_equal_in_all_arms_is_omitted(load: Any, content: dict[str, Any]) -> None:
    del content["study"]["arms"]["controls/1"]
    assert "λ_E" not in best_config_table(collect(load(content))).columns


def test_values_in_nats_are_no_percent(load: Any, content: dict[str, Any]) -> None:
    content["study"]["objectives"] = ["validation/nll"]
    table = best_config_table(collect(load(content)))
    assert {"validation nats", "test nats"} <= set(table.columns)
    assert "0.9000 ± 0.0000" in table.rows[0]


def test_long_names_are_cut_only_in_wide_tables():
    name = "cifar100-preact_resnet18-cs_kd"
    narrow = Table("t", ("study", "state"), ((name, "done"),))
    assert name in to_text(narrow, 80)
    wide = Table("t", ("study", *(f"column {i}" for i in range(9))), ((name, *range(9)),))
    assert name not in to_text(wide, 80)
    assert name[:20] in to_text(wide, 80)
