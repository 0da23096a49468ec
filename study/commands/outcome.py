"""Commands that show and export results: best, export, register, report, compare."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from study.commands.arguments import AsJson, Directories, Directory
from study.commands.output import say, show, show_json, write, write_over

PANEL = "Results"

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd best runs/digits")
def best(directory: Directory, as_json: AsJson = False) -> None:
    """Show the best-config table.

    Lists the winner and the other arms, and states how they compare.
    """
    from analysis.findings import best_config, best_config_table
    from study.state.directory import read_results

    results = read_results(directory)
    if as_json:
        show_json(best_config.winner_config(results))
    else:
        show(best_config_table.best_config_table(best_config.collect(results)))


@app.command(rich_help_panel=PANEL, epilog="Example: cskd export runs/digits --format args")
def export(
    directory: Directory,
    fmt: Annotated[
        Literal[
            "yaml",
            "json",
            "hydra",
            "args",
            "released",
            "record",
            "optimization_results",
            "csv",
            "markdown",
            "latex",
        ],
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Configuration: yaml, json, hydra, args (--temperature 4.0 …) or released (the paper's flags). "
            "Results: record (flat JSON with values, seeds, commit and versions) or optimization_results (Hydra's "
            "file). Table: csv, markdown or latex.",
        ),
    ] = "yaml",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File to write; an existing file is replaced.", show_default="standard output"
        ),
    ] = None,
) -> None:
    """Export the best configuration or the best-config table."""
    from analysis.findings import best_config, best_config_table
    from analysis.findings import export as exports
    from analysis.tables import files
    from study.state.directory import read_results

    results = read_results(directory)
    if kind := {"csv": "csv", "markdown": "md", "latex": "tex"}.get(fmt):
        text = files.content(best_config_table.best_config_table(best_config.collect(results)), kind)
    else:
        text = exports.of_study(results, fmt)
    if out is None:
        write(text.rstrip("\n"))
    else:
        write_over(out, text.encode())
        say(str(out))


@app.command(rich_help_panel=PANEL, epilog="Example: cskd register runs/digits digits@champion")
def register(
    directory: Directory,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@ALIAS]",
            help="Name of the registered model, and optionally an alias for the new version.",
            show_default=False,
        ),
    ],
) -> None:
    """Register the confirmed winner in MLflow's model registry.

    The new version holds the checkpoint of the winner's first fresh seed and its configuration.
    """
    from study.outcome import registration

    model, version, alias, run = registration.register(directory, name)
    say(f"registered {run} as version {version} of model {model}{f', alias {alias}' if alias else ''}")
    address = f"models:/{model}@{alias}" if alias else f"models:/{model}/{version}"
    say(f"download its files with: mlflow artifacts download --artifact-uri {address}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd report runs/digits")
def report(directories: Directories) -> None:
    """Write an HTML report for each study, with all tables and figures."""
    from study.outcome import result_files
    from study.state.directory import require_results

    for directory in directories:
        require_results(directory)  # report a mistake before any page is written
    for directory in directories:
        say(str(result_files.report(directory)))


@app.command(rich_help_panel=PANEL, epilog="Example: cskd compare runs/digits runs/digits-wide --out runs/comparison")
def compare(
    directories: Directories,
    as_json: AsJson = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for an HTML page with the tables and figures of all studies."),
    ] = None,
) -> None:
    """Compare the winners of several studies.

    Shows the settings that differ, the differences from the first study's winner, and the rows of the paper's tables.
    """
    from analysis.findings import comparison
    from analysis.paper import cells, layout
    from analysis.report import comparison_report
    from study.errors import UsageError
    from study.state.directory import read_results

    if not 2 <= len(directories) <= len(comparison.LETTERS):
        raise UsageError(f"compare: give 2 to {len(comparison.LETTERS)} study directories, not {len(directories)}")
    for number, directory in enumerate(directories):
        if directory.resolve() in [other.resolve() for other in directories[:number]]:
            raise UsageError(f"compare: {directory} is named twice; give different studies")
    studies = [read_results(directory) for directory in directories]
    found = comparison.compare(studies)
    if as_json:
        show_json(asdict(found))
        return
    show(comparison.settings_table(found))
    show(comparison.winners_table(found))
    for table in cells.collect(studies):
        show(layout.layout(table, filled_only=True))
    if out:
        say(str(comparison_report.write(studies, out.absolute())))
