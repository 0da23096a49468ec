"""Commands that prepare a study: init, validate, plan, narrow, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from study.commands import completion
from study.commands.arguments import Address, AsJson, Directory, Settings, Storage, StudySource
from study.commands.output import say, show_entries, show_finding, show_json, write, write_new, write_over

if TYPE_CHECKING:
    from study.definition.study_config import StudyConfig

PANEL = "Prepare"
UNAVAILABLE = 69

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd init digits --out my_study.yaml")
def init(
    preset: Annotated[
        str | None,
        typer.Argument(
            metavar="PRESET",
            help="Preset or study file to start from.",
            show_default="built-in defaults",
            autocompletion=completion.studies,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to create; it must not exist.", show_default="standard output"),
    ] = None,
) -> None:
    """Create a commented study file with every key."""
    from study.definition import loading, template

    text = template.commented(loading.preset(preset) if preset else loading.build(template.STARTING_POINT, "defaults"))
    if out is None:
        write(text.removesuffix("\n"))
    else:
        write_new(out, text)
        say(f"{out}: edit it, then run: cskd validate {out}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd validate my_study.yaml --set search.trials=8")
def validate(
    study: StudySource,
    settings: Settings = None,
    data: Annotated[
        bool, typer.Option("--data", help="Also read the data: count the images and check that they fit the study.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a study file and summarize what the study will do."""
    from study.campaigns import preview
    from study.definition import loading, yaml_reader
    from study.errors import StudyFileError

    try:
        found = loading.load(study, yaml_reader.parse_settings(settings or []))
    except StudyFileError as error:
        if not as_json:
            raise
        show_json({"valid": False, "mistakes": error.mistakes})
        raise typer.Exit(error.exit_code) from None
    described = preview.describe(found)
    images = _data(found) if data else {}
    if as_json:
        show_json({"valid": True, "mistakes": [], **described, **images})
        return
    show_entries({str(study): "valid", **preview.entries(described), **preview.data_entries(images)})


@app.command("plan", rich_help_panel=PANEL, epilog="Example: cskd plan cifar100-smoke --set search.trials=16")
def plan_study(
    study: StudySource,
    settings: Settings = None,
    address: Address = None,
    measure: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Measure the training rate, which takes seconds.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Estimate a study's cost and the difference it can detect.

    Measures the training rate on this machine, or on a worker of the cluster, for some seconds.
    """
    from study.campaigns import plan
    from study.cluster import measurement
    from study.definition import loading, yaml_reader

    found = loading.load(study, yaml_reader.parse_settings(settings or []))
    measured = measurement.measure(found, address) if measure else ({}, measurement.share_here(found))
    planned = plan.plan(found, *measured)
    if as_json:
        show_json(planned)
        return
    show_entries(plan.entries(planned))
    for warning in planned["warnings"]:
        say(f"warning: {warning}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd narrow runs/digits --out next.yaml")
def narrow(
    directory: Directory,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File to write; an existing file is replaced.", show_default="standard output"
        ),
    ] = None,
) -> None:
    """Print a follow-up study around the best points of a study.

    The follow-up study tries these points first.
    """
    from study.definition import yaml_reader
    from study.search import follow_up

    content = yaml_reader.dump(follow_up.refined(directory).resolved())
    if out is None:
        write(content.decode().rstrip("\n"))
    else:
        write_over(out, content)
        say(f"{out}: review it, then run: cskd launch {out}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd doctor --storage runs")
def doctor(
    storage: Storage = None,
    address: Address = None,
    data: Annotated[bool, typer.Option("--data", help="Verify every byte of the data sets.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check this machine and the services it uses.

    Prints a remedy for each warning and problem. Exits with code 69 if there is a problem.
    """
    from analysis.words.wording import number_of
    from study.commands.doctor import examine
    from study.machine import folders

    found = []
    for finding in examine.examine(folders.storage_folder(storage), address, verify_data=data):
        found.append(finding)
        if not as_json:
            show_finding(finding)
    summary = examine.summary(found)
    if as_json:
        show_json(summary)
    else:
        say(f"{number_of(summary['problems'], 'problem')}, {number_of(summary['warnings'], 'warning')}")
    if not summary["healthy"]:
        raise typer.Exit(UNAVAILABLE)


def _data(config: StudyConfig) -> dict[str, Any]:
    from rich.console import Console

    from study.driver import comparability  # slow to import; an invalid study fails before
    from study.views.data_progress import fetch_with_progress

    fetch_with_progress(config.dataset, Console(stderr=True))
    return comparability.describe_data(config)
