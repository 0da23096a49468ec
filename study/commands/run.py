"""Commands that run studies: launch, resume, confirm, stop, train."""

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
        Literal["search", "confirm"], typer.Option(help="Last phase to run; search does not read the test set.")
    ] = "confirm",
    warm_start: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Start with the best points of another study; repeatable.",
            autocompletion=completion.directories,
        ),
    ] = None,
    hours: Annotated[
        float | None,
        typer.Option(min=0, metavar="HOURS", help="Total wall time of all studies.", show_default=False),
    ] = None,
    events: Events = None,
    notify: Notify = None,
) -> None:
    """Run studies from search to confirmation.

    The search selects finalists on the validation split. The confirmation trains finalists and controls with fresh
    seeds and reads the test set once. Several studies run one after the other.
    """
    from study.campaigns import campaign
    from study.cluster import connection
    from study.definition import tracking_address, yaml_reader
    from study.machine import folders
    from study.search.warm_start import warm_started

    # Report mistakes before anything is created and before the slow imports.
    configs = campaign.load(campaign.expand(studies), yaml_reader.parse_settings(settings or []))
    if warm_start:
        configs = [warm_started(config, warm_start) for config in configs]
    connection.ray_address(address)
    tracking_address.check_environment()
    from study import api

    folder = folders.storage_folder(storage)
    if len(configs) > 1 or hours is not None:
        streams = partial(outputs, events=events, notify=notify)
        outcomes = campaign.run(
            {config.name: config.model_copy for config in configs},
            folder,
            hours=hours,
            say=say,
            outputs=streams,
            address=address,
            until=until,
        )
        conclude(folder, outcomes, len(configs))
        return
    with outputs(folder / configs[0].name, events, notify) as written:
        directory, ending = api.launch(configs[0], folder, address=address, until=until, **written)
    finish(directory, ending)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd resume runs/digits --trials 32")
def resume(
    directory: Directory,
    trials: Annotated[int | None, typer.Option(min=1, metavar="N", help="New total number of search trials.")] = None,
    more_hours: Annotated[
        float,
        typer.Option(
            min=0, metavar="HOURS", help="Hours to add to the budget (hours and device hours).", show_default=False
        ),
    ] = 0.0,
    address: Address = None,
    allow_changed: Changed = False,
    events: Events = None,
    notify: Notify = None,
) -> None:
    """Resume a study that was stopped, or extend one that has finished."""
    options = {"trials": trials, "more_hours": more_hours, "address": address, "allow_changed": allow_changed}
    _resume(directory, events, notify, options)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd confirm runs/digits")
def confirm(
    directory: Directory,
    address: Address = None,
    allow_changed: Changed = False,
    events: Events = None,
    notify: Notify = None,
) -> None:
    """Confirm a study that was launched with --until search."""
    options = {"until": "confirm", "action": "confirm", "address": address, "allow_changed": allow_changed}
    _resume(directory, events, notify, options)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd stop runs/digits")
def stop(directory: Directory) -> None:
    """Stop the driver of a study cleanly."""
    from study.state import lease

    holder = lease.stop_holder(directory)
    say(f"asked {holder} to stop; resume with: cskd resume {directory}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd train runs/digits/best_config.yaml --out again --test")
def train(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="best_config.yaml, or the configuration of any run as YAML or JSON.",
            show_default=False,
            autocompletion=completion.configurations,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder of the run.")] = Path("run"),
    test: Annotated[
        bool, typer.Option("--test", help="Evaluate on the test set after the last epoch; recorded in the test ledger.")
    ] = False,
) -> None:
    """Train one configuration without Ray.

    With best_config.yaml, repeats the confirmation run of its seed.
    """
    from study.driver import single_run

    outcome = single_run.train(single_run.read_train_config(config), out.absolute(), Console(), test=test)
    for name, value in sorted(outcome.metrics.items()):
        say(f"{name} {value:.6f}")
    say(f"{outcome.state} after {outcome.epoch} epochs: {out}{': ' + outcome.error if outcome.error else ''}")
    if outcome.state != "finished":
        raise typer.Exit(1)


def _resume(directory: Path, events: Path | None, notify: str | None, options: dict[str, Any]) -> None:
    """Resumes a study; ``options`` are arguments of ``study.api.resume``."""
    from study import api
    from study.definition import tracking_address

    tracking_address.check_environment()
    with outputs(directory, events, notify) as written:
        ending = api.resume(directory, **options, **written)
    finish(directory, ending)
