"""Commands that prepare, share and list data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from analysis.words.units import size
from study.commands import completion
from study.commands.arguments import AsJson
from study.commands.output import say, show, show_entries, show_json

if TYPE_CHECKING:
    from trainables.interfaces import Dataset, StoredData

PANEL = "Prepare"

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Data set; `cskd datasets` lists them.",
        show_default=False,
        autocompletion=completion.datasets,
    ),
]
Root = Annotated[
    str | None,
    typer.Option(
        metavar="DIR", help="Folder or URI of the data.", envvar="CSKD_DATA", show_default="~/.local/share/cskd"
    ),
]
Expect = Annotated[
    str | None,
    typer.Option(
        metavar="COUNTS",
        help="Counts of a subset of the published data, such as classes=50,train=1500,test=1389.",
        show_default="the published counts",
    ),
]
DataSettings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set another option of the data set; repeatable."),
]

app = typer.Typer()
group = typer.Typer(no_args_is_help=True)
app.add_typer(
    group,
    name="data",
    help="Prepare, share and list data sets.",
    epilog="Example: cskd data list",
    rich_help_panel=PANEL,
)


@group.command("list", epilog="Example: cskd data list --root /data --json")
def list_(root: Root = None, as_json: AsJson = False) -> None:
    """List the data sets with their state and location.

    Verifies every byte.
    """
    from analysis.tables.table import Table

    found = _stored(root)
    if as_json:
        show_json([_as_json(name, each) for name, each in found])
        return
    rows = tuple(_row(name, each) for name, each in found)
    show(Table("data sets", ("name", "state", "classes", "train", "test", "size"), rows))
    for name, each in found:
        if each.path is not None and each.state == "ready":
            show_entries({name: f"{each.path}{f'; {each.note}' if each.note else ''}"})
        elif each.note:
            show_entries({name: each.note})


@group.command(epilog="Example: cskd data prepare cub200 --root /data --archive CUB_200_2011.tgz")
def prepare(
    name: Name,
    root: Root = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Published archive that is already on disk; repeatable."),
    ] = None,
    expect: Expect = None,
    settings: DataSettings = None,
) -> None:
    """Prepare a data set from its published archives.

    Downloads the archives that are not given, verifies and unpacks them, decodes each image once, and writes one file
    that all trials share. Does nothing if the data set is ready, replaces a damaged file, and resumes if interrupted.
    """
    from study.views.data_progress import DataProgress

    dataset = _dataset(name, root, expect, settings or [])
    if isinstance(dataset.root, Path):
        dataset.root.mkdir(parents=True, exist_ok=True)
    with DataProgress(name, Console(stderr=True)) as shown:
        stored = dataset.prepare(archive or [], shown)
    subset = "a subset of the published data, " if stored.part else ""
    say(f"{name}: {stored.state}, {subset}{stored.counts or ''}{f' at {stored.path}' if stored.path else ''}")
    if stored.note:
        say(f"{name}: {stored.note}")


@group.command(epilog="Example: cskd data push cub200 --root /data --to s3://bucket/data")
def push(
    name: Name,
    to: Annotated[
        str, typer.Option(metavar="URI", help="URI of the object store, such as s3://bucket/data.", show_default=False)
    ],
    root: Root = None,
    expect: Expect = None,
    settings: DataSettings = None,
) -> None:
    """Upload a prepared data set to an object store, for the nodes of a cluster.

    Does nothing if the store already has it, and resumes if interrupted. Studies refer to it with `dataset.root: URI`.
    """
    from study.views.data_progress import DataProgress
    from trainables.preparation import sharing

    dataset = _dataset(name, root, expect, settings or [])
    with DataProgress(name, Console(stderr=True)) as shown:
        nbytes = sharing.push(dataset, to, shown)
    say(f"{name}: {nbytes:,} bytes at {to}")


@group.command(epilog="Example: cskd data fetch cub200 --root s3://bucket/data")
def fetch(name: Name, root: Root = None, expect: Expect = None, settings: DataSettings = None) -> None:
    """Download a data set from an object store to this machine.

    Otherwise the first trial downloads it.
    """
    from study.views.data_progress import fetch_with_progress

    here = fetch_with_progress(_dataset(name, root, expect, settings or []), Console(stderr=True))
    say(f"{name}: ready{f' in {here.root}' if here.root else ''}")


def _dataset(name: str, root: str | None, expect: str | None, settings: list[str]) -> Dataset:
    from study.definition import yaml_reader
    from study.errors import UsageError
    from trainables.config import part_from

    options: dict[str, Any] = {"name": name, "root": root}
    for key, value in yaml_reader.parse_settings(settings).items():
        yaml_reader.override(options, key, value)
    if expect is not None:
        options["expect"] = yaml_reader.parse_settings(expect.split(","))
    try:
        dataset: Dataset = part_from("datasets", options)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return dataset


def _stored(root: str | None) -> list[tuple[str, StoredData]]:
    from trainables.files.places import data_place
    from trainables.interfaces import registry
    from trainables.preparation import sharing

    place = data_place(_dataset("digits", root, None, []).root)
    if isinstance(place, str):
        return sharing.stored(place)
    names = registry.available("datasets")
    return [(name, each) for name in names for each in _dataset(name, root, None, []).stored()]


def _row(name: str, stored: StoredData) -> tuple[str | None, ...]:
    counts = stored.counts
    shown = (
        (None,) * 3 if counts is None else tuple(f"{count:,}" for count in (counts.classes, counts.train, counts.test))
    )
    state = f"{stored.state}, subset" if stored.part else stored.state
    return name, state, *shown, size(stored.nbytes) if stored.nbytes else None


def _as_json(name: str, stored: StoredData) -> dict[str, Any]:
    counts = None if stored.counts is None else stored.counts.model_dump()
    path = None if stored.path is None else str(stored.path)
    return {
        "name": name,
        "state": stored.state,
        "part": stored.part,
        "counts": counts,
        "bytes": stored.nbytes,
        "path": path,
        "note": stored.note,
    }
