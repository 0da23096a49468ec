"""What the commands that run studies share: where a driver writes, and what is printed at its end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypedDict

import typer
from rich.console import Console

from study.commands.output import say, show
from study.errors import CannotCreateError, NothingSucceededError

if TYPE_CHECKING:
    from study.campaigns.campaign import Part
    from study.driver.runner import Ending


class Outputs(TypedDict):
    """Where a driver writes; as ``study.api`` takes it."""

    console: Console
    events: TextIO | None


@contextlib.contextmanager
def outputs(directory: Path, events: Path | None, notify: str | None) -> Iterator[Outputs]:
    """Where a driver writes; events on standard output send all else to standard error."""
    from study.views import notification

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


def conclude(storage: Path, parts: list[Part], planned: int) -> None:
    """How a campaign ended: a line for each study, and the page that compares them.

    Raises:
        Exit: It was stopped.
        NothingSucceededError: A study did not go to its end.
    """
    from study.state.directory import open_study
    from study.views import status

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
    from analysis.findings import comparison
    from analysis.records import result_files
    from analysis.report import comparison_report

    if 2 <= len(directories) <= len(comparison.LETTERS):
        studies = [result_files.read(directory / "results") for directory in directories]
        say(f"comparison: {comparison_report.write(studies, storage / 'comparison')}")


def finish(directory: Path, ending: Ending) -> None:
    """How a study ended: the best-config table and where all lies, or how to go on.

    Raises:
        Exit: It was stopped.
        NothingSucceededError: Every trial failed.
    """
    if ending.interrupted is not None:
        say(f"stopped; go on with: cskd resume {directory}")
        raise typer.Exit(128 + ending.interrupted)
    if ending.out_of_hours:
        say(f"the budget's hours are over; go on with: cskd resume {directory} --more-hours H")
    if not ending.complete:
        from study.views.trial_log import first_error

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
    from study.tracking import ui

    say(f"results: {directory / 'results'}")
    say(f"report: {directory / 'report' / 'index.html'}")
    if (way := ui.way_to(directory)) is not None:
        say(f"runs in MLflow: {way}")


def _show_best(directory: Path) -> None:
    from analysis.findings import best_config, best_config_table
    from analysis.records import result_files

    show(best_config_table.best_config_table(best_config.collect(result_files.read(directory / "results"))))
