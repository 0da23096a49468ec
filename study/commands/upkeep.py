"""Commands that maintain studies: sync, verify, clean."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from analysis.words.units import size
from study.commands.arguments import AsJson, Directory
from study.commands.output import say, show_json

PANEL = "Maintenance"

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd sync runs/digits")
def sync(directory: Directory) -> None:
    """Rebuild result files, report and MLflow runs from the database."""
    from study import api

    written, runs = api.sync(directory)
    say(f"{directory / 'results'}: {len(written.trials)} trials, {len(written.confirmations)} confirmations")
    say(f"runs in MLflow: {runs}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd verify runs/digits")
def verify(directory: Directory, as_json: AsJson = False) -> None:
    """Check that database, runs, result files and MLflow agree.

    Exits with code 1 if they do not.
    """
    from analysis.words.wording import number_of
    from study.outcome import verification
    from study.state.directory import open_study
    from study.tracking import tracking_thread

    with open_study(directory) as study:
        connect = (lambda: tracking_thread.connect(study)) if study.config.tracking.enabled else None
        found = verification.verify(study, connect)
    if as_json:
        show_json(asdict(found))
    else:
        say(f"{directory}: compared {', '.join(f'{count} {name}' for name, count in found.checked.items())}")
        for line in (*(f"{v.rule}: {v.subject}: {v.found}" for v in found.violations), *found.skipped):
            say(line)
        say(number_of(len(found.violations), "violation"))
    if found.violations:
        raise typer.Exit(1)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd clean runs/digits --dry-run")
def clean(
    directory: Directory,
    unfinished: Annotated[
        bool,
        typer.Option("--all", help="Also remove checkpoints of unfinished runs; a resume trains these from the start."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the size of the checkpoints; remove nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove checkpoints that are no longer needed.

    Results are kept, and so are checkpoints from which unfinished runs resume.
    """
    from analysis.words.wording import number_of
    from study.outcome import cleaning

    found = cleaning.clean(directory, unfinished=unfinished, dry_run=dry_run)
    if as_json:
        show_json(asdict(found) | {"dry_run": dry_run})
        return
    kept = f"; kept those of {number_of(found.kept_runs, 'unfinished run')}" if found.kept_runs else ""
    freed = "would free" if dry_run else "freed"
    say(f"{directory}: {freed} {size(found.size_bytes)}: checkpoints of {number_of(found.runs, 'run')}{kept}")
