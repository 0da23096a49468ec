"""Writes the report of a study: a self-contained page, and its figures and tables as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.findings import best_config, best_config_table, calibration, caveats, export, significance
from analysis.paper import cells, layout
from analysis.records.result_files import ResultsError
from analysis.report import appendix, figures, page, summary
from analysis.tables import files
from trainables.files.durable import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from analysis.records.result_files import Results
    from analysis.report.figures import Figure
    from analysis.tables.table import Table


def write(results: Results, directory: Path) -> Path:
    """Writes the page, each figure as SVG and PNG, and the tables as CSV, Markdown and LaTeX.

    Args:
        results: Results of the study.
        directory: Output directory, the study's ``report`` folder; created if it is missing.

    Returns:
        Path of the page.

    Raises:
        OSError: The disk is full or the directory not writable.
    """
    drawn = figures.draw_all(results)
    page.write_figures(drawn, directory)
    write_paper_tables([results], directory)
    for name, table in (more := _more_tables(results)).items():
        files.write(table, directory, name)
    write_atomic(directory / page.NAME, html(results, drawn, more).encode())
    return directory / page.NAME


def write_paper_tables(studies: Sequence[Results], directory: Path) -> dict[str, Table]:
    """Writes the paper's tables in which the studies fill a cell, and all their cells as ``paper_tables.csv``.

    Returns:
        The tables by name, such as ``paper_table_1``.
    """
    found = cells.collect(studies)
    named = layout.by_name(found)
    for name, table in named.items():
        files.write(table, directory, name)
    if found:
        content = files.content(layout.sheet(found), "csv")
        write_atomic(directory / "paper_tables.csv", content.encode())
    return named


def html(results: Results, drawn: tuple[Figure, ...], more: dict[str, Table] | None = None) -> str:
    """Renders the page; the same results give the same bytes.

    Args:
        results: Results of the study.
        drawn: Figures of the study.
        more: Tables of differences to the baseline and of calibration by name, if they are already computed.
    """
    more = _more_tables(results) if more is None else more
    return page.render(
        "report.html",
        drawn,
        name=results.study["name"],
        setup=summary.setup(results),
        findings=summary.findings(results),
        caveats=caveats.caveats(results),
        protocol=summary.protocol(results),
        against=more.get("against_baseline"),
        calibration=more.get("calibration"),
        paper=layout.by_name(cells.collect([results])),
        trials=appendix.trials_table(results),
        ledger=appendix.ledger_table(results),
        launches=appendix.launches_table(results),
        versions=appendix.versions_table(results),
        digests=appendix.digests_table(results),
        **_best(results),
    )


def _more_tables(results: Results) -> dict[str, Table]:
    """Returns the tables of differences to the baseline and of calibration by the names of their files, if any."""
    against, calibrated = significance.collect(results), calibration.collect(results)
    found = {"against_baseline": significance.table(against)} if against else {}
    return found | ({"calibration": calibration.table(calibrated)} if calibrated else {})


def _best(results: Results) -> dict[str, Any]:
    """Returns the best-config table, its notes that the page does not state elsewhere, and the winner as YAML."""
    try:
        best = best_config.collect(results)
    except ResultsError:
        return {"best": None, "notes": (), "winner": None}
    table = best_config_table.best_config_table(best)
    stated = " ".join((*summary.findings(results), *summary.protocol(results), *caveats.caveats(results)))
    notes = tuple(note for note in table.notes if note not in stated)
    winner = export.export(best_config.winner_config(results), "yaml", export.header(best)) if best.confirmed else None
    return {"best": table, "notes": notes, "winner": winner}
