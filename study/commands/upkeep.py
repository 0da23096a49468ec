"""Upkeep of studies and of this machine."""

from __future__ import annotations

import typer

from study.commands.arguments import Directory
from study.commands.output import say

PANEL = "Upkeep"

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd sync runs/digits")
def sync(directory: Directory) -> None:
    """Rebuild the result files from the study's truth."""
    from study import results
    from study.directory import open_study

    with open_study(directory) as study:
        written = results.project(study)
    say(f"{directory / 'results'}: {len(written.trials)} trials, {len(written.confirmations)} confirmations")
