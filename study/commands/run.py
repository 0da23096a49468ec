"""Runs: launch, resume, confirm, stop, train."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO, TypedDict

import typer
from rich.console import Console

from study.commands.arguments import Address, Changed, Directory, Events, Notify, Settings, Storage, StudySources
from study.commands.output import say, show
from study.errors import CannotCreateError, NothingSucceededError

if TYPE_CHECKING:
    from study.campaign import Part
    from study.runner import Ending

PANEL = "Run"

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd launch digits --storage runs --set search.trials=8")
def launch(
    studies: StudySources,
    storage: Storage = None,
    settings: Settings = None,
    address: Address = None,
    until: Annotated[Literal["search", "confirm"], typer.Option(help="Where to stop.")] = "confirm",
    warm_start: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Begin with the best points of a study; may be repeated."),
    ] = None,
    hours: Annotated[
        float | None, typer.Option(min=0, help="Of several studies: wall time of all together.", show_default=False)
    ] = None,
    events: Events = None,
    notify: Notify = None,
) -> None:
    """Run a study: search, confirm with fresh seeds, read the test set once. Several are run one after the other."""
    from study import campaign, environment, study_file, tracking_address
    from study.warm_start import warm_started

    # Before anything is made, and before what runs a study is loaded: a mistake is told at once.
    configs = campaign.load(campaign.expand(studies), study_file.parse_settings(settings or []))
    if warm_start:
        configs = [warm_started(config, warm_start) for config in configs]
    environment.ray_address(address)
    tracking_address.refuse_mistake()
    from study import api

    folder = environment.storage_folder(storage)
    if len(configs) > 1 or hours is not None:
        outputs = partial(_outputs, events=events, notify=notify)
        parts = campaign.run(configs, folder, hours=hours, say=say, outputs=outputs, address=address, until=until)
        _conclude(folder, parts, len(configs))
        return
    with _outputs(folder / configs[0].name, events, notify) as written:
        directory, ending = api.launch(configs[0], folder, address=address, until=until, **written)
    _finish(directory, ending)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd resume runs/digits --trials 32")
def resume(
    directory: Directory,
    trials: Annotated[int | None, typer.Option(min=1, help="Search trials in total from now on.")] = None,
    more_hours: Annotated[float, typer.Option(min=0, help="Added to the budget's hours and device hours.")] = 0.0,
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
    from study import lease

    holder = lease.stop_holder(directory)
    say(f"asked {holder} to stop; `cskd resume {directory}` goes on")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd train runs/digits/best_config.yaml --out again --test")
def train(
    config: Annotated[Path, typer.Argument(help="best_config.yaml, or any run's configuration.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("run"),
    test: Annotated[bool, typer.Option("--test", help="Read the test set at the last epoch; it is ledgered.")] = False,
) -> None:
    """Train one configuration without Ray."""
    from study import single_run

    outcome = single_run.train(single_run.read_train_config(config), out.absolute(), Console(), test=test)
    for name, value in sorted(outcome.metrics.items()):
        say(f"{name} {value:.6f}")
    say(f"{outcome.state} after {outcome.epoch} epochs: {out}{': ' + outcome.error if outcome.error else ''}")
    if outcome.state != "finished":
        raise typer.Exit(1)


def _go_on(directory: Path, events: Path | None, notify: str | None, options: dict[str, Any]) -> None:
    """Resumes a study with the options of ``study.api.resume``."""
    from study import api, tracking_address

    tracking_address.refuse_mistake()

    with _outputs(directory, events, notify) as outputs:
        ending = api.resume(directory, **options, **outputs)
    _finish(directory, ending)


class _Outputs(TypedDict):
    console: Console
    events: TextIO | None


@contextlib.contextmanager
def _outputs(directory: Path, events: Path | None, notify: str | None) -> Iterator[_Outputs]:
    """Where a driver writes; events on standard output send all else to standard error."""
    from study import notification

    to_standard_output = events == Path("-")
    with contextlib.ExitStack() as stack:
        stack.enter_context(notification.notified(notification.parse(notify), directory, say))
        out = None
        if events is not None:
            out = sys.stdout if to_standard_output else stack.enter_context(_appended(events))
        yield {"console": Console(stderr=to_standard_output), "events": out}


def _appended(path: Path) -> TextIO:
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        raise CannotCreateError(f"--events {path}: {error.strerror}") from error


def _conclude(storage: Path, parts: list[Part], planned: int) -> None:
    """How a campaign ended: a line for each study, and the page that compares them."""
    from study import status
    from study.directory import open_study

    found = []
    for part in parts:
        if (part.directory / "study.yaml").exists():
            with open_study(part.directory) as study:
                found.append(status.describe(study))
    show(status.summary(found))
    _compare(storage, [part.directory for part in parts if part.error is None and part.interrupted is None])
    stopped = next((part.interrupted for part in parts if part.interrupted is not None), None)
    if stopped is not None:
        say("stopped; launch the same studies again to go on")
        raise typer.Exit(128 + stopped)
    if bad := [part for part in parts if part.error is not None]:
        raise NothingSucceededError(
            f"{len(bad)} of {planned} studies did not go to their end; launch them again to go on"
        )


def _compare(storage: Path, directories: list[Path]) -> None:
    from analysis import comparison, comparison_report, records

    if 2 <= len(directories) <= len(comparison.LETTERS):
        studies = [records.read(directory / "results") for directory in directories]
        say(f"comparison: {comparison_report.write(studies, storage / 'comparison')}")


def _finish(directory: Path, ending: Ending) -> None:
    if ending.interrupted is not None:
        say(f"stopped; go on with: cskd resume {directory}")
        raise typer.Exit(128 + ending.interrupted)
    if ending.out_of_hours:
        say(f"the budget's hours are over; go on with: cskd resume {directory} --more-hours H")
    if not ending.complete:
        from study.trial_log import first_error

        raise NothingSucceededError(f"{directory}: every search trial failed; the first said: {first_error(directory)}")
    _show_best(directory)
    _show_places(directory)
    winner = directory / "best_config.yaml"
    if winner.exists():
        say(f"best configuration: {winner}; reproduce it with: cskd train {winner} --test")
    elif ending.until == "search":
        say(f"the test set is closed; confirm with: cskd confirm {directory}")
    else:
        say("the winner's confirmation is not complete")
    if ending.failed:
        say(f"{ending.failed} trials failed; `cskd status {directory}` counts them, `cskd logs` says why")


def _show_places(directory: Path) -> None:
    from study import ui

    say(f"results: {directory / 'results'}")
    say(f"report: {directory / 'report' / 'index.html'}")
    if (way := ui.way_to(directory)) is not None:
        say(f"runs in MLflow: {way}")


def _show_best(directory: Path) -> None:
    from analysis import best_config, records, tables

    show(tables.best_config_table(best_config.collect(records.read(directory / "results"))))
