"""What came out: the best configuration as a table and as text to paste."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from study.commands.arguments import AsJson, Directory
from study.commands.output import show, show_json, write

PANEL = "Results"

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd best runs/digits")
def best(directory: Directory, as_json: AsJson = False) -> None:
    """Show the best-config table."""
    from analysis import best_config, records, tables

    results = records.read(directory / "results")
    if as_json:
        show_json(best_config.winner_config(results))
    else:
        show(tables.best_config_table(best_config.collect(results)))


@app.command(rich_help_panel=PANEL, epilog="Example: cskd export runs/digits --format args")
def export(
    directory: Directory,
    fmt: Annotated[Literal["yaml", "json", "args"], typer.Option("--format", help="Format.")] = "yaml",
    out: Annotated[Path | None, typer.Option(help="File to write; standard output by default.")] = None,
) -> None:
    """Print the best configuration, to paste into a training script."""
    from analysis import best_config, records
    from analysis import export as exports
    from trainables.durable import write_atomic

    results = records.read(directory / "results")
    header = exports.header(best_config.collect(results))
    text = exports.export(best_config.winner_config(results), fmt, header)
    if out is None:
        write(text.rstrip("\n"))
    else:
        write_atomic(out.absolute(), text.encode())
