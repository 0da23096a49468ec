"""Command that reproduces the tables and figures of the paper."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from study.commands import completion
from study.commands.arguments import Address, AsJson, Settings, Storage
from study.commands.endings import conclude, outputs
from study.commands.output import say, show, show_json
from study.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from study.campaigns.paper_tables import Planned

PANEL = "Run"

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd reproduce table1 --dataset cifar100 --budget smoke --plan")
def reproduce(
    items: Annotated[
        list[str],
        typer.Argument(
            metavar="TABLE|FIGURE",
            help="Tables and figures of the paper: table1 to table6, figure1b to figure5.",
            show_default=False,
            autocompletion=completion.paper_items,
        ),
    ],
    datasets: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="Use only this data set; repeatable.",
            autocompletion=completion.datasets,
        ),
    ] = None,
    budget: Annotated[
        Literal["paper", "smoke"],
        typer.Option(help="The paper's protocol, or a short version that is not comparable with the paper."),
    ] = "paper",
    plan: Annotated[
        bool, typer.Option("--plan", help="List the studies and their estimated cost; run nothing.")
    ] = False,
    storage: Storage = None,
    settings: Settings = None,
    address: Address = None,
    hours: Annotated[
        float | None,
        typer.Option(min=0, metavar="HOURS", help="Total wall time of all studies.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reproduce tables and figures of the paper.

    Runs the studies behind them and shows the results beside the printed values. CS-KD is searched over the paper's
    grid; every other method runs with its defaults. To resume, repeat the command.
    """
    from study.campaigns import paper_tables
    from study.definition import yaml_reader
    from study.machine import folders

    if as_json and not plan:
        raise UsageError("--json requires --plan")
    overrides = yaml_reader.parse_settings(settings or [])
    planned = paper_tables.plan(items, datasets or [], budget)
    folder = folders.storage_folder(storage)
    studies = {each.name: partial(paper_tables.config, each, folder, budget, overrides) for each in planned}
    for each in planned:
        if each.needs is None:  # report mistakes before any study starts; the others need results of earlier studies
            studies[each.name]()
    if plan:
        _show_plan(planned, studies, address, as_json=as_json)
        return
    from study.campaigns import campaign

    streams = partial(outputs, events=None, notify=None)
    outcomes = campaign.run(studies, folder, hours=hours, say=say, outputs=streams, address=address, until="confirm")
    done = [outcome.directory for outcome in outcomes if outcome.finished]
    _show_tables(done, paper_tables.tables(items))
    for directory in done:
        say(f"figures and tables of {directory.name}: {directory / 'report' / 'index.html'}")
    conclude(folder, outcomes, len(studies))


def _show_plan(planned: list[Planned], studies: dict[str, Any], address: str | None, *, as_json: bool) -> None:
    from analysis.tables.table import Table
    from analysis.words.wording import hours
    from study.campaigns import plan
    from study.cluster import measurement
    from trainables.errors import DataError

    priced: list[dict[str, Any]] = []
    notes: dict[str, None] = {}  # a set in order: networks on the same data set lack the same file
    for each in planned:
        dataset, model, _ = each.rows[0]
        found: dict[str, Any] = {}
        try:
            config = studies[each.name]()
            found = plan.plan(config, *measurement.measure(config, address))
        except DataError as error:
            notes[f"{dataset}: {str(error).splitlines()[0]}"] = None
        priced.append(
            {
                "study": each.name,
                "data set": dataset,
                "network": model,
                "methods": len(each.rows),
                "runs": found["runs"] if found else None,
                "device h": hours(found["device_hours"]["total"]) if found else None,
                "wall h": hours(found["wall_hours"]) if found else None,
            }
        )
    if as_json:
        show_json({"studies": priced, "notes": list(notes)})
        return
    columns = tuple(priced[0])[1:]  # without the name, which repeats data set and network
    rows = tuple(tuple(each[column] for column in columns) for each in priced)
    show(Table("studies and their cost at the measured rate", columns, rows, tuple(notes)))


def _show_tables(directories: list[Path], numbers: list[int]) -> None:
    from analysis.paper import cells, layout
    from analysis.records import result_files

    if not directories or not numbers:
        return
    for table in cells.collect([result_files.read(directory / "results") for directory in directories]):
        if table.number in numbers:
            show(layout.layout(table, filled_only=True))
