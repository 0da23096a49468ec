"""Output of the commands that run studies: the driver's streams and the summary at the end."""

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
    from study.campaigns.campaign import StudyOutcome
    from study.driver.runner import Ending


class DriverOutputs(TypedDict):
    """Output arguments of ``study.api.launch`` and ``study.api.resume``."""

    console: Console
    events: TextIO | None


@contextlib.contextmanager
def outputs(directory: Path, events: Path | None, notify: str | None) -> Iterator[DriverOutputs]:
    """Opens the driver's outputs; if events go to standard output, everything else goes to standard error."""
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


def conclude(storage: Path, outcomes: list[StudyOutcome], planned: int) -> None:
    """Prints how a campaign ended: one line per study, and the path of the comparison page.

    Args:
        storage: Folder of the study directories.
        outcomes: Outcomes of the studies that began.
        planned: Number of studies in the campaign.

    Raises:
        Exit: The campaign was stopped.
        NothingSucceededError: A study did not finish.
    """
    from study.state.directory import open_study
    from study.views import status

    found = []
    for outcome in outcomes:
        if (outcome.directory / "study.yaml").exists():
            with open_study(outcome.directory) as study:
                found.append(status.describe(study))
    show(status.summary(found))
    _compare(storage, [outcome.directory for outcome in outcomes if outcome.finished])
    stopped = next((outcome.interrupted for outcome in outcomes if outcome.interrupted is not None), None)
    if stopped is not None:
        say("stopped; launch the same studies again to resume")
        raise typer.Exit(128 + stopped)
    if failed := [outcome for outcome in outcomes if outcome.error is not None]:
        raise NothingSucceededError(f"{len(failed)} of {planned} studies did not finish; launch them again to resume")


def _compare(storage: Path, directories: list[Path]) -> None:
    from analysis.findings import comparison
    from analysis.records import result_files
    from analysis.report import comparison_report

    if 2 <= len(directories) <= len(comparison.LETTERS):
        studies = [result_files.read(directory / "results") for directory in directories]
        say(f"comparison: {comparison_report.write(studies, storage / 'comparison')}")


def finish(directory: Path, ending: Ending) -> None:
    """Prints how a study ended: the best-config table and the paths of the results, or how to resume.

    Raises:
        Exit: The study was stopped.
        NothingSucceededError: Every trial failed.
    """
    if ending.interrupted is not None:
        say(f"stopped; resume with: cskd resume {directory}")
        raise typer.Exit(128 + ending.interrupted)
    if ending.out_of_hours:
        say(f"the time budget is used up; resume with: cskd resume {directory} --more-hours HOURS")
    if not ending.complete:
        from study.views.trial_log import first_error

        raise NothingSucceededError(f"{directory}: every search trial failed; first error: {first_error(directory)}")
    from analysis.words.wording import number_of

    _show_best(directory)
    _show_paths(directory)
    winner = directory / "best_config.yaml"
    if winner.exists():
        say(f"best configuration: {winner}; reproduce it with: cskd train {winner} --test")
    elif ending.until == "search":
        say(f"the test set was not read; confirm with: cskd confirm {directory}")
    else:
        say("the confirmation of the winner is not complete")
    if ending.failed:
        failed = number_of(ending.failed, "trial")
        say(f"{failed} failed; see `cskd status {directory}` and `cskd logs {directory} TRIAL`")


def _show_paths(directory: Path) -> None:
    from study.tracking import ui

    say(f"results: {directory / 'results'}")
    say(f"report: {directory / 'report' / 'index.html'}")
    if (command := ui.page_or_command(directory)) is not None:
        say(f"runs in MLflow: {command}")


def _show_best(directory: Path) -> None:
    from analysis.findings import best_config, best_config_table
    from analysis.records import result_files

    show(best_config_table.best_config_table(best_config.collect(result_files.read(directory / "results"))))
