"""Writes the report of several studies: a page with verdicts, best configurations, the paper's tables and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.findings import comparison, overview
from analysis.report import figures, page
from analysis.report.study_report import write_paper_tables
from analysis.tables import files
from trainables.files.durable import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from analysis.records.result_files import Results


def write(studies: Sequence[Results], directory: Path) -> Path:
    """Writes the page, its figures as SVG and PNG, and its tables as CSV, Markdown and LaTeX.

    Args:
        studies: Two or more studies; each later one is compared with the first.
        directory: Output directory; created if it is missing.

    Returns:
        Path of the page.

    Raises:
        ValueError: There are fewer than two studies, or too many.
        OSError: The disk is full or the directory not writable.
    """
    found, drawn = comparison.compare(studies), figures.draw_compared(studies)
    named = {
        "best_configs": overview.overview_table(studies),
        "winners": comparison.winners_table(found),
        "settings": comparison.settings_table(found),
    }
    for name, table in named.items():
        files.write(table, directory, name)
    page.write_figures(drawn, directory)
    paper = write_paper_tables(studies, directory)
    text = page.render(
        "comparison.html",
        drawn,
        studies=[side.study for side in found.sides],
        verdicts=[pair.verdict for pair in found.pairs],
        paper=paper,
        **named,
    )
    write_atomic(directory / page.NAME, text.encode())
    return directory / page.NAME
