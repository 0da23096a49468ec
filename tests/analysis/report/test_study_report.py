import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from analysis.findings.best_config import collect
from analysis.findings.best_config_table import best_config_table
from analysis.records import result_files
from analysis.report import figures, study_report
from analysis.tables.table import shown, to_csv

FIGURES = {
    *("landscape", "slices", "parallel", "history", "distribution", "tradeoff", "learning_curves", "rank_correlation"),
    *("loss_terms", "arms", "reliability", "log_probabilities", "softmax_scores", "embedding"),
}
SECTIONS = [
    "Summary",
    "Best configuration",
    "Comparison with the paper",
    "Figures",
    "Protocol and ledger",
    "Trials",
    "Provenance",
]
VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """Parses a page into elements, attributes, table rows, scripts, and the text outside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.text += data
            if self.open[-1] in ("td", "th", "strong"):
                self.rows[-1][-1] += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def written(finished_report: Path) -> Path:
    """The report of a confirmed study."""
    return finished_report


def test_sections_are_in_order_and_every_element_is_closed(written: Path) -> None:
    page = Page(written.read_text(encoding="utf-8"))
    assert page.open == []
    places = [page.text.index(f"\n{section}\n") for section in SECTIONS]
    assert places == sorted(places)
    anchors = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {
        attributes["href"].removeprefix("#") for attributes in page.of("a") if attributes["href"][0] == "#"
    } <= anchors


def test_each_figure_is_interactive_with_a_static_image_and_files(written: Path) -> None:
    page = Page(written.read_text(encoding="utf-8"))
    names = [attributes["data-figure"] for attributes in page.of("figure")]
    assert names == [name for name in figures.available() if name in FIGURES]
    assert set(names) == FIGURES
    assert {path.name for path in written.parent.iterdir()} == {
        "index.html",
        "paper_tables.csv",
        *(f"{name}.{kind}" for name in ("against_baseline", "calibration") for kind in ("csv", "md", "tex")),
        *(f"paper_table_{number}.{kind}" for number in (1, 2, 3) for kind in ("csv", "md", "tex")),
        *(f"{name}.{kind}" for name in names for kind in ("svg", "png")),
    }
    for image in page.of("img"):
        assert image["src"].startswith("data:image/svg+xml;base64,")
        assert len(image["alt"]) > 40
    for spec in map(json.loads, page.scripts[: len(FIGURES)]):
        assert spec.keys() & {"layer", "concat", "hconcat", "vconcat", "mark"}


def test_the_tables_numbers_are_the_best_config_tables(load: Any, content: dict[str, Any]) -> None:
    results = load(content)
    page = Page(study_report.html(results, ()))
    table = best_config_table(collect(results))
    assert page.rows[0] == list(table.columns)
    assert page.rows[1:6] == [[shown(cell) for cell in row] for row in table.rows]
    for note in table.notes:
        assert page.text.count(note) == 1


def test_tables_can_be_downloaded_from_the_page(written: Path) -> None:
    results = result_files.read(written.parent.parent / "results")
    page = Page(written.read_text(encoding="utf-8"))
    links = {link["download"]: link["href"] for link in page.of("a") if "download" in link}
    sheet = base64.b64decode(links["best_config.csv"].partition("base64,")[2]).decode()
    assert sheet == to_csv(best_config_table(collect(results)))
    beside = (written.parent / "paper_table_1.tex").read_bytes()
    assert base64.b64decode(links["paper_table_1.tex"].partition("base64,")[2]) == beside
    assert {"ledger.csv", "trials.csv"} & links.keys() == {"trials.csv"}


def test_the_papers_tables_are_shown(written: Path) -> None:
    page = Page(written.read_text(encoding="utf-8"))
    row = next(row for row in page.rows if row[:2] == ["ResNet-18", "CS-KD"])
    assert row[3] == "21.99 ± 0.13 (−11.0 %)"
    assert page.of("strong")


def test_a_winner_at_the_edge_is_noted(load: Any, content: dict[str, Any]) -> None:
    content["study"]["arms"]["search/7"]["config"]["method"]["temperature"] = 15.9
    page = Page(study_report.html(load(content), ()))
    assert "search/7 lies at the upper end of the searched range of T" in page.text


def test_tables_are_accessible(written: Path) -> None:
    page = Page(written.read_text(encoding="utf-8"))
    assert {attributes.get("scope") for attributes in page.of("th")} == {"col", "row"}
    assert page.of("html")[0]["lang"] == "en"
    assert all(attributes.get("aria-label") for attributes in page.of("div") if attributes.get("role") == "region")


def test_the_page_has_no_external_references(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    page = Page(text)
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "background"):
            target = attributes.get(name)
            local = target is None or re.fullmatch(r"#[\w-]+|data:.*|\w+\.(svg|png)", target, re.DOTALL)
            assert local, (tag, name, target)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    assert "default-src 'none'" in page.of("meta")[1]["content"]
    assert not any("http" in spec for spec in page.scripts[: len(FIGURES)])


def test_the_same_results_give_the_same_bytes(written: Path, tmp_path: Path) -> None:
    again = study_report.write(result_files.read(written.parent.parent / "results"), tmp_path / "again").parent
    assert {path.name: path.read_bytes() for path in written.parent.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }


@pytest.mark.slow
def test_hostile_text_stays_text(load: Any, hostile: dict[str, Any], with_predictions: Any, tmp_path: Path) -> None:
    written = study_report.write(load(hostile), tmp_path / "report")
    text = written.read_text(encoding="utf-8")
    page, harmless = Page(text), Page(study_report.html(load(hostile), ()))
    assert page.open == []
    assert [tag for tag, _ in page.elements].count("script") == len(page.of("figure")) + 2
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in harmless.elements} | {
        "script",
        "figure",
        "figcaption",
        "img",
    }
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "{{7*7}}" in page.text
    assert "49 {%" not in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u2028\u202e]", text.replace("\n", ""))
    assert "x" * 2_100 not in text
    for script in page.scripts[:-2]:
        assert "<" not in script
        json.loads(script)


def test_an_unconfirmed_study(load: Any, unconfirmed: dict[str, Any]) -> None:
    page = Page(study_report.html(load(unconfirmed), ()))
    assert "best search trial is search/7" in page.text
    assert "Not confirmed yet" in page.text
    assert page.of("pre") == []


@pytest.mark.parametrize("trials", [0, 1])
def test_a_study_with_no_or_one_trial(load: Any, unconfirmed: dict[str, Any], tmp_path: Path, trials: int) -> None:
    kept = unconfirmed | {"trials": unconfirmed["trials"][:trials], "epochs": []}
    page = Page(study_report.write(load(kept), tmp_path / "report").read_text(encoding="utf-8"))
    assert ("No search trial has completed" in page.text) == (trials == 0)
    assert ("No run has started" in page.text) == (trials == 0)
    assert len(page.of("script")) == (0 if trials == 0 else 2 + len(page.of("figure")))


def test_a_study_whose_trials_all_failed_shows_why(load: Any, unconfirmed: dict[str, Any], tmp_path: Path) -> None:
    for trial in unconfirmed["trials"]:
        trial |= {"state": "FAIL", "validation/top1_error": None, "error": "no space & no <hope>"}
    page = Page(study_report.write(load(unconfirmed), tmp_path / "report").read_text(encoding="utf-8"))
    assert "No search trial has completed (8 failed)" in page.text
    assert "no space & no <hope>" in page.text


def test_other_objectives_and_spaces(load: Any, content: dict[str, Any], tmp_path: Path) -> None:
    content["study"]["objectives"] = ["validation/nll"]
    content["study"]["distributions"] = {"temperature": {"choices": [1.0, 4.0]}, "kind": {"choices": ["a", None, True]}}
    content["trials"] = [trial | {"params/kind": "a"} for trial in content["trials"]]
    for arm in content["study"]["arms"].values():
        arm["config"]["method"]["kind"] = "a"
    page = Page(study_report.write(load(content), tmp_path / "report").read_text(encoding="utf-8"))
    assert "test nats" in page.rows[0]
    assert "kind among a, None, True" in page.text


def test_an_error_in_a_figure_is_raised(
    load: Any, content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.plots.slices.draw", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        study_report.write(load(content), tmp_path / "report")
    assert not (tmp_path / "report" / "index.html").exists()
