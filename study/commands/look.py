"""Commands that show studies, also while they run: status, watch, list, logs, ui."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from study.commands import completion
from study.commands.arguments import AsJson, Directory, Storage
from study.commands.output import say, show, show_json

PANEL = "Monitor"

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd status runs/digits --json")
def status(directory: Directory, as_json: AsJson = False) -> None:
    """Show a study's runs by phase and state, and its best trial."""
    from study.state.directory import open_study
    from study.views import status as study_status

    with open_study(directory) as study:
        found = study_status.describe(study)
    if as_json:
        show_json(found)
    else:
        show(study_status.table(found))


@app.command(rich_help_panel=PANEL, epilog="Example: cskd watch runs/digits")
def watch(
    directory: Directory,
    seconds: Annotated[float, typer.Option("--every", min=0.5, metavar="SECONDS", help="Refresh interval.")] = 2.0,
) -> None:
    """Follow a study until its driver ends.

    Shows running trials, the best trial, parameter importance, rate, cost and time left.
    """
    import time

    from rich.console import Console
    from rich.live import Live

    from study.state.directory import open_study
    from study.views import watching

    console = Console()
    with open_study(directory) as study:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while (found := watching.describe(study))["state"] == "running":
                live.update(watching.page(found), refresh=True)
                time.sleep(seconds)
        console.print(watching.page(found))


@app.command("list", rich_help_panel=PANEL, epilog="Example: cskd list --storage runs")
def list_studies(storage: Storage = None, as_json: AsJson = False) -> None:
    """List the studies in a storage folder."""
    from study.machine import folders
    from study.state.directory import open_study, studies_in
    from study.views import status as study_status
    from trainables.errors import CskdError

    found: list[dict[str, Any]] = []
    folder = folders.storage_folder(storage)
    for directory in studies_in(folder):
        try:
            with open_study(directory) as study:
                found.append(study_status.describe(study))
        except CskdError as error:  # one bad study must not hide the others
            found.append({"name": directory.name, "error": str(error).splitlines()[0]})
    if as_json:
        show_json(found)
    elif found:
        show(study_status.summary(found))
    else:
        _report_no_studies(folder)


def _report_no_studies(folder: Path) -> None:
    """Prints that a folder has no studies, and where there are some or how to start one."""
    from study.state.directory import studies_below

    why = "no studies" if folder.is_dir() else "folder does not exist"
    below = sorted({path.parent for path in studies_below(folder)})
    hint = (
        f"found some in {', '.join(map(str, below))}"
        if below
        else f"start one with: cskd launch digits --storage {folder}"
    )
    say(f"{folder}: {why}; {hint}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd logs runs/digits search/7")
def logs(
    directory: Directory,
    trial: Annotated[
        str,
        typer.Argument(
            metavar="TRIAL",
            help="Trial, such as search/7 (or 7), controls/0, race/3 or confirm/2.",
            show_default=False,
            autocompletion=completion.trials,
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show the epochs of a trial."""
    from study.views.trial_log import rows, table

    found = rows(directory, trial)
    if as_json:
        show_json(found)
    else:
        show(table(found))


@app.command(rich_help_panel=PANEL, epilog="Example: cskd ui --storage runs")
def ui(
    storage: Storage = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, metavar="PORT", help="Port of the web UI.", show_default="first free port from 5000"
        ),
    ] = None,
) -> None:
    """Serve the MLflow web UI of a storage folder.

    The server listens on this machine only and runs until Ctrl+C.
    """
    from study.machine.folders import storage_folder
    from study.machine.signals import StopSignals
    from study.tracking import ui as pages

    folder = storage_folder(storage)
    with StopSignals() as signals, pages.serve(folder, port) as server:
        say(f"MLflow: {server.address}{' (press Ctrl+C to stop)' if server.process else ''}")
        for name, page in pages.links(folder, server.address).items():
            say(f"{name}: {page}")
        server.wait(lambda: signals.received is not None)
