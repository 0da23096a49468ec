"""Tests the page of several studies: verdicts, tables, figures and files."""

import copy

import pytest

from analysis.findings import comparison
from analysis.records import result_files
from analysis.report import comparison_report


@pytest.fixture
def studies(content, hostile, tmp_path):
    """Returns a study and one with hostile names."""
    first = copy.deepcopy(content)
    first["study"]["name"] = "first"
    for name, each in (("a", first), ("b", hostile)):
        result_files.write(tmp_path / name / "results", **each)
    return [result_files.read(tmp_path / name / "results") for name in "ab"]


def test_the_page_and_its_files(studies, tmp_path) -> None:
    page = comparison_report.write(studies, tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert text.count("<section") == text.count("</section>") >= 4
    assert "<script>window.attacked" not in text
    assert "<img src=x" not in text
    names = {path.name for path in page.parent.iterdir()}
    assert {"index.html", "best_configs.csv", "settings.tex", "winners.md", "paper_tables.csv"} <= names
    for pair in comparison.compare(studies).pairs:
        assert pair.verdict.partition(":")[0] in text


def test_the_same_studies_give_the_same_bytes(studies, tmp_path) -> None:
    first, second = (comparison_report.write(studies, tmp_path / name) for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_one_study_is_refused(studies, tmp_path) -> None:
    with pytest.raises(ValueError, match="2 to 26 studies"):
        comparison_report.write(studies[:1], tmp_path / "out")
    assert not (tmp_path / "out").exists()
