"""Tests that LaTeX is balanced, has a cell per column and no foreign command, and compiles where LaTeX is installed."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.findings import calibration, significance
from analysis.findings.best_config import collect
from analysis.findings.best_config_table import best_config_table
from analysis.paper import cells as paper_tables
from analysis.paper import layout
from analysis.tables.latex import PREAMBLE, tex, to_latex
from analysis.tables.table import Strong, Table

COMMANDS = {
    *("begin", "end", "centering", "caption", "label", "toprule", "midrule", "bottomrule", "textbf", "boldmath", "par"),
    *(
        "medskip",
        "linewidth",
        "resizebox",
        "footnotesize",
        "textasciitilde",
        "textasciicircum",
        "textbackslash",
        "textquotedbl",
    ),
    *("pm", "times", "neq", "leq", "geq", "dagger", "Delta", "lambda", "varepsilon", "alpha", "beta", "mu", "eta"),
    *("downarrow", "uparrow", "ldots", "circ", "mathrm", "texttt"),
}
hostile = st.text(st.characters(), max_size=60)


def check(source: str, columns: int) -> None:
    """Checks for what TeX would reject."""
    bare = re.sub(r"\\[&%$#_{}]|\\\\|\{%\n", lambda found: "{" if found[0] == "{%\n" else "", source)
    assert source.isascii()
    assert set(re.findall(r"\\([A-Za-z]+)", bare)) <= COMMANDS
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[%#~]|\\[^A-Za-z]", bare)
    body = bare[bare.index(r"\toprule") : bare.index(r"\bottomrule")]
    rows = [line for line in body.split("\n") if "&" in line]
    assert all(line.count("&") == columns - 1 for line in rows)


@settings(max_examples=100, deadline=None)
@given(st.lists(hostile, min_size=4, max_size=4), hostile, hostile)
@example(["\\input{/etc/passwd}", "100 % & more", "λ_cls ± $x$", "]\\\\[1em]*"], "a_b^c", "~#{}")
def test_hostile_text_breaks_nothing(cells: list[str], title: str, note: str) -> None:
    table = Table(title, ("a", cells[0], "c"), ((cells[1], Strong(cells[2]), None), (cells[3], 1.5, "x")), (note,))
    check(to_latex(table), 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("21.99 ± 0.13 (−11.0 %)", r"21.99 $\pm$ 0.13 ($-$11.0 \%)"),
        ("λ_cls and λ_E", r"$\lambda_{\mathrm{cls}}$ and $\lambda_{\mathrm{E}}$"),
        ("cs_kd", r"cs\_kd"),
        ("a\\b", r"a\textbackslash{}b"),
    ],
)
def test_text(text: str, expected: str) -> None:
    assert tex(text) == expected


def test_blocks_are_ruled_and_the_best_is_bold() -> None:
    table = Table("t", ("m", "n", "x"), (("a", "p", "1"), ("a", "q", Strong("2")), ("b", "p", "3")), heads=2)
    lines = to_latex(table, "tab:t").split("\n")
    assert lines[3] == r"\label{tab:t}"
    assert lines[lines.index(r"a & p & 1 \\") + 1] == r"a & q & \textbf{\boldmath 2} \\"
    assert lines[lines.index(r"b & p & 3 \\") - 1] == r"\midrule"


@pytest.fixture
def written(load: Any, content: dict[str, Any], with_predictions: Any) -> list[Table]:
    """Returns the tables of a study."""
    results = load(content)
    tables = [best_config_table(collect(results))]
    if against := significance.collect(results):
        tables.append(significance.table(against))
    if calibrated := calibration.collect(results):
        tables.append(calibration.table(calibrated))
    return [*tables, *(layout.layout(table) for table in paper_tables.collect([results]))]


def test_the_tables_of_a_study(written: list[Table]) -> None:
    assert len(written) == 6
    for table in written:
        check(to_latex(table), len(table.columns))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_they_compile(written: list[Table], tmp_path: Path) -> None:
    hostile_table = Table(
        "\\end{table} $ % λ_E", ("[a]", "*b"), (("[x]", "*y"), ("\\input{x}", "☃")), ("# & ~ ^ _ { }",)
    )
    body = "\n".join(to_latex(table, f"tab:{i}") for i, table in enumerate([*written, hostile_table]))
    source = f"\\documentclass{{article}}\n{PREAMBLE}\n\\begin{{document}}\n{body}\\end{{document}}\n"
    (tmp_path / "tables.tex").write_text(source, encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout.replace("Overfull \\hbox (badness", "")
    assert "undefined" not in done.stdout.lower().replace("undefined references", "")
