"""Upkeep of studies and of this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from analysis.words.units import size
from study.commands.arguments import AsJson, Directory
from study.commands.output import say, show_json

PANEL = "Upkeep"

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd sync runs/digits")
def sync(directory: Directory) -> None:
    """Rebuild result files, report and MLflow runs from the study's truth."""
    from study import api

    written, runs = api.sync(directory)
    say(f"{directory / 'results'}: {len(written.trials)} trials, {len(written.confirmations)} confirmations")
    say(f"runs in MLflow: {runs}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd verify runs/digits")
def verify(directory: Directory, as_json: AsJson = False) -> None:
    """Compare database, runs, result files and MLflow with each other; exit code 1 where they disagree."""
    from study.outcome import verification
    from study.state.directory import open_study
    from study.tracking import tracker

    with open_study(directory) as study:
        connect = (lambda: tracker.connect(study)) if study.config.tracking.enabled else None
        found = verification.verify(study, connect)
    if as_json:
        show_json(asdict(found))
    else:
        say(f"{directory}: compared {', '.join(f'{count} {name}' for name, count in found.checked.items())}")
        for line in (*(f"{v.rule}: {v.subject}: {v.found}" for v in found.violations), *found.skipped):
            say(line)
        say(f"{len(found.violations)} violations")
    if found.violations:
        raise typer.Exit(1)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd clean runs/digits --dry-run")
def clean(
    directory: Directory,
    unfinished: Annotated[
        bool, typer.Option("--all", help="Those of unfinished runs, too; a resume then trains them from the start.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how much there is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove checkpoints that nobody goes on from; results stay."""
    from study.outcome import cleaning

    found = cleaning.clean(directory, unfinished=unfinished, dry_run=dry_run)
    if as_json:
        show_json(asdict(found) | {"dry_run": dry_run})
        return
    kept = f"; {found.kept_runs} unfinished runs keep theirs" if found.kept_runs else ""
    said = "would give back" if dry_run else "gave back"
    say(f"{directory}: {said} {size(found.size_bytes)} in checkpoints of {found.runs} runs{kept}")
