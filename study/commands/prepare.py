"""Before a study: a file to start from, whether a file is valid, whether this machine is fit."""

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
            help="A preset or a study file to start from.",
            show_default="every default",
            autocompletion=completion.studies,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write; it must not exist.", show_default="print")
    ] = None,
) -> None:
    """Print a commented study file to start from, with every key."""
    from study.definition import loading, template

    text = template.commented(loading.preset(preset) if preset else loading.build(template.STARTING_POINT, "defaults"))
    if out is None:
        write(text.removesuffix("\n"))
    else:
        write_new(out, text)
        say(f"{out}: edit it, then: cskd validate {out}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd validate my_study.yaml --set search.trials=8")
def validate(
    study: StudySource,
    settings: Settings = None,
    data: Annotated[
        bool, typer.Option("--data", help="Read the data, too: count the images and check that they fit.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a study file, and say what the study will do."""
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


@app.command(rich_help_panel=PANEL, epilog="Example: cskd plan cifar100-smoke --set search.trials=16")
def plan(
    study: StudySource,
    settings: Settings = None,
    address: Address = None,
    measure: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Measure the rate here, which takes seconds.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Say what a study will cost here, at a measured rate, and what difference it can show."""
    from study.campaigns import plan as planner
    from study.cluster import measurement
    from study.definition import loading, yaml_reader

    found = loading.load(study, yaml_reader.parse_settings(settings or []))
    measured = measurement.measure(found, address) if measure else ({}, measurement.share_here(found))
    planned = planner.plan(found, *measured)
    if as_json:
        show_json(planned)
        return
    show_entries(planner.entries(planned))
    for warning in planned["warnings"]:
        say(f"warning: {warning}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd narrow runs/digits --out next.yaml")
def narrow(
    directory: Directory,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write; what is there is replaced.", show_default="print"),
    ] = None,
) -> None:
    """Print the study that follows another: a space around its best points, which are tried first."""
    from study.definition import yaml_reader
    from study.search import follow_up

    content = yaml_reader.dump(follow_up.refined(directory).resolved())
    if out is None:
        write(content.decode().rstrip("\n"))
    else:
        write_over(out, content)
        say(f"{out}: look at it, then: cskd launch {out}")


@app.command(rich_help_panel=PANEL, epilog="Example: cskd doctor --storage runs")
def doctor(
    storage: Storage = None,
    address: Address = None,
    data: Annotated[bool, typer.Option("--data", help="Read and verify every byte of the data sets.")] = False,
    as_json: AsJson = False,
) -> None:
    """Examine this machine and the services it uses: what is there, who else gets in, what to do."""
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

    from study.driver import comparability  # takes a second, which a mistake must not
    from study.views.data_progress import bring

    bring(config.dataset, Console(stderr=True))

    return comparability.describe_data(config)
