"""The paper's tables and figures, from planning their studies to the printed values beside ours."""

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
            help="Of the paper: table1 to table6, figure1b to figure5.",
            show_default=False,
            autocompletion=completion.paper_items,
        ),
    ],
    datasets: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="Only this data set; may be repeated.",
            autocompletion=completion.datasets,
        ),
    ] = None,
    budget: Annotated[
        Literal["paper", "smoke"],
        typer.Option(help="The paper's protocol, or a small part of it that is not comparable with the paper."),
    ] = "paper",
    plan: Annotated[bool, typer.Option("--plan", help="Only say which studies, and what they cost here.")] = False,
    storage: Storage = None,
    settings: Settings = None,
    address: Address = None,
    hours: Annotated[
        float | None,
        typer.Option(min=0, metavar="HOURS", help="Wall time of all studies together.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the studies behind a table or figure of the paper, and show ours beside the printed values.

    CS-KD is searched over the paper's grid; every other method runs with its defaults. Launched again, it goes on.
    """
    from study.campaigns import paper_tables
    from study.definition import yaml_reader
    from study.machine import folders

    if as_json and not plan:
        raise UsageError("--json goes with --plan")
    overrides = yaml_reader.parse_settings(settings or [])
    planned = paper_tables.plan(items, datasets or [], budget)
    folder = folders.storage_folder(storage)
    studies = {each.name: partial(paper_tables.config, each, folder, budget, overrides) for each in planned}
    for each in planned:
        if each.needs is None:  # a mistake is told before anything begins; the others wait for what they need
            studies[each.name]()
    if plan:
        _price(planned, studies, address, as_json=as_json)
        return
    from study.campaigns import campaign

    places = partial(outputs, events=None, notify=None)
    parts = campaign.run(studies, folder, hours=hours, say=say, outputs=places, address=address, until="confirm")
    done = [part.directory for part in parts if part.error is None and part.interrupted is None]
    _show_tables(done, paper_tables.tables(items))
    for directory in done:
        say(f"figures and tables of {directory.name}: {directory / 'report' / 'index.html'}")
    conclude(folder, parts, len(studies))


def _price(planned: list[Planned], studies: dict[str, Any], address: str | None, *, as_json: bool) -> None:
    from analysis.tables.table import Table
    from analysis.words.wording import hours
    from study.campaigns import plan as planner
    from study.cluster import measurement
    from trainables.errors import DataError

    priced: list[dict[str, Any]] = []
    notes: dict[str, None] = {}  # the networks of a data set lack the same file
    for each in planned:
        dataset, model, _ = each.rows[0]
        found: dict[str, Any] = {}
        try:
            config = studies[each.name]()
            found = planner.plan(config, *measurement.measure(config, address))
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
    columns = tuple(priced[0])[1:]  # a study's name says no more than its data set and network
    rows = tuple(tuple(each[column] for column in columns) for each in priced)
    show(Table("studies behind it, at the rate measured here", columns, rows, tuple(notes)))


def _show_tables(directories: list[Path], numbers: list[int]) -> None:
    from analysis.paper import cells, layout
    from analysis.records import result_files

    if not directories or not numbers:
        return
    for table in cells.collect([result_files.read(directory / "results") for directory in directories]):
        if table.number in numbers:
            show(layout.layout(table, filled_only=True))
