"""Tests tables as files and links in every format."""

import base64

from analysis.tables import files
from analysis.tables.table import Table, to_csv, to_markdown

TABLE = Table("title", ("arm", "x"), (("a", 0.5),), ("A note.",))


def test_every_format_is_written(tmp_path) -> None:
    files.write(TABLE, tmp_path, "best")
    assert (tmp_path / "best.csv").read_text() == to_csv(TABLE)
    assert (tmp_path / "best.md").read_text() == to_markdown(TABLE)
    assert r"\begin{tabular}{lr}" in (tmp_path / "best.tex").read_text()


def test_a_link_contains_the_file() -> None:
    kind, _, data = files.link(TABLE, "csv").partition(";charset=utf-8;base64,")
    assert kind == "data:text/csv"
    assert base64.b64decode(data).decode() == to_csv(TABLE)
