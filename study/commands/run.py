"""Runs: launch, resume, confirm, stop, train."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from study.commands import completion
from study.commands.arguments import Address, Changed, Directory, Events, Notify, Settings, Storage, StudySources
from study.commands.endings import conclude, finish, outputs
from study.commands.output import say

PANEL = "Run"

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd launch digits --storage runs --set search.trials=8")
def launch(
    studies: StudySources,
    storage: Storage = None,
    settings: Settings = None,
    address: Address = None,
    until: Annotated[
        Literal["search", "confirm"], typer.Option(help="What comes last; search leaves the test set closed.")
    ] = "confirm",
    warm_start: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Begin with the best points of another study; may be repeated.",
            autocompletion=completion.directories,
        ),
    ] = None,
    hours: Annotated[
        float | None,
        typer.Option(min=0, metavar="HOURS", help="Wall time of all studies together.", show_default=False),
    ] = None,
    events: Events = None,
    notify: Notify = None,
) -> None:
    """Run a study: search, confirm with fresh seeds, read the test set once. Several are run one after the other."""
    from study.campaigns import campaign
    from study.cluster import connection
    from study.definition import tracking_address, yaml_reader
    from study.machine import folders
    from study.search.warm_start import warm_started

    # Before anything is made, and before what runs a study is loaded: a mistake is told at once.
    configs = campaign.load(campaign.expand(studies), yaml_reader.parse_settings(settings or []))
    if warm_start:
        configs = [warm_started(config, warm_start) for config in configs]
    connection.ray_address(address)
    tracking_address.refuse_mistake()
    from study import api

    folder = folders.storage_folder(storage)
    if len(configs) > 1 or hours is not None:
        places = partial(outputs, events=events, notify=notify)
        parts = campaign.run(
            {config.name: config.model_copy for config in configs},
            folder,
            hours=hours,
            say=say,
            outputs=places,
            address=address,
            until=until,
        )
        conclude(folder, parts, len(configs))
        return
    with outputs(folder / configs[0].name, events, notify) as written:
        directory, ending = api.launch(configs[0], folder, address=address, until=until, **written)
    finish(directory, ending)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd resume runs/digits --trials 32")
def resume(
    directory: Directory,
    trials: Annotated[int | None, typer.Option(min=1, metavar="N", help="Search trials in total from now on.")] = None,
    more_hours: Annotated[
        float,
        typer.Option(min=0, metavar="HOURS", help="Added to the budget's hours and device hours.", show_default=False),
    ] = 0.0,
    address: Address = None,
    allow_changed: Changed = False,
    events: Events = None,
    notify: Notify = None,
) -> None:
    """Go on with a study where it stopped, or extend one that has ended."""
    options = {"trials": trials, "more_hours": more_hours, "address": address, "allow_changed": allow_changed}
    _go_on(directory, events, notify, options)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd confirm runs/digits")
def confirm(
    directory: Directory,
    address: Address = None,
    allow_changed: Changed = False,
    events: Events = None,
    notify: Notify = None,
) -> None:
    """Confirm finalists and controls of a study that was searched with --until search."""
    options = {"until": "confirm", "action": "confirm", "address": address, "allow_changed": allow_changed}
    _go_on(directory, events, notify, options)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd stop runs/digits")
def stop(directory: Directory) -> None:
    """Ask the driver of a study to stop cleanly."""
    from study.state import lease

    holder = lease.stop_holder(directory)
    say(f"asked {holder} to stop; `cskd resume {directory}` goes on")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd train runs/digits/best_config.yaml --out again --test")
def train(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="best_config.yaml, or any run's configuration as YAML or JSON.",
            show_default=False,
            autocompletion=completion.configurations,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run.")] = Path("run"),
    test: Annotated[bool, typer.Option("--test", help="Read the test set at the last epoch; it is ledgered.")] = False,
) -> None:
    """Train one configuration without Ray; best_config.yaml repeats the confirmation run of its seed."""
    from study.driver import single_run

    outcome = single_run.train(single_run.read_train_config(config), out.absolute(), Console(), test=test)
    for name, value in sorted(outcome.metrics.items()):
        say(f"{name} {value:.6f}")
    say(f"{outcome.state} after {outcome.epoch} epochs: {out}{': ' + outcome.error if outcome.error else ''}")
    if outcome.state != "finished":
        raise typer.Exit(1)


def _go_on(directory: Path, events: Path | None, notify: str | None, options: dict[str, Any]) -> None:
    """Resumes a study with the options of ``study.api.resume``."""
    from study import api
    from study.definition import tracking_address

    tracking_address.refuse_mistake()

    with outputs(directory, events, notify) as written:
        ending = api.resume(directory, **options, **written)
    finish(directory, ending)
