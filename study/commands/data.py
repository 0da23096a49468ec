"""Data sets on disk: what is ready, and how the rest becomes ready."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from study.commands.arguments import AsJson
from study.commands.output import say, show, show_entries, show_json, size

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from trainables.interfaces import Dataset, StoredData

PANEL = "Prepare"

Root = Annotated[
    Path | None, typer.Option(help="Folder of the data.", envvar="CSKD_DATA", show_default="~/.local/share")
]

app = typer.Typer()
group = typer.Typer(no_args_is_help=True)
app.add_typer(
    group,
    name="data",
    help="Prepare data sets from their published archives, and see what is ready.",
    epilog="Example: cskd data list",
    rich_help_panel=PANEL,
)


@group.command("list", epilog="Example: cskd data list --root /data --json")
def list_(root: Root = None, as_json: AsJson = False) -> None:
    """Say which data sets are ready, and where; every byte is verified."""
    from analysis.tables import Table

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
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set of `cskd datasets`.", show_default=False)],
    root: Root = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A published archive that you have; may be repeated."),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="COUNTS",
            help="What a part of the published data holds, such as classes=50,train=1500,test=1389.",
            show_default="the published counts",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another option; may be repeated.")
    ] = None,
) -> None:
    """Make a data set ready: fetch or take its archives, verify, unpack, decode once, write one file for all trials.

    Does nothing where it is ready, replaces a damaged file, and goes on where it was stopped.
    """
    dataset = _dataset(name, root, expect, settings or [])
    if root is not None:
        root.mkdir(parents=True, exist_ok=True)
    with _Told(name) as told:
        made = dataset.prepare(archive or [], told)
    what = "a part of the published data, " if made.part else ""
    say(f"{name}: {made.state}, {what}{made.counts or ''}{f' at {made.path}' if made.path else ''}")
    if made.note:
        say(f"{name}: {made.note}")


def _dataset(name: str, root: Path | None, expect: str | None, settings: list[str]) -> Dataset:
    from study import study_file
    from study.errors import UsageError
    from trainables.config import part_from

    options: dict[str, Any] = {"name": name, "root": None if root is None else str(root)}
    for key, value in study_file.parse_settings(settings).items():
        study_file.override(options, key, value)
    if expect is not None:
        options["expect"] = study_file.parse_settings(expect.split(","))
    try:
        dataset: Dataset = part_from("datasets", options)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return dataset


def _stored(root: Path | None) -> list[tuple[str, StoredData]]:
    from trainables import registry

    names = registry.available("datasets")
    return [(name, each) for name in names for each in _dataset(name, root, None, []).stored()]


def _row(name: str, stored: StoredData) -> tuple[str | None, ...]:
    counts = stored.counts
    shown = (
        (None,) * 3 if counts is None else tuple(f"{count:,}" for count in (counts.classes, counts.train, counts.test))
    )
    state = f"{stored.state}, a part" if stored.part else stored.state
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


class _Told:
    """Shows progress: a bar for each step on a terminal, otherwise a line for each step and each tenth of it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last: tuple[str, int] = ("", -1)

    def __enter__(self) -> _Told:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bars = Progress(console=Console(stderr=True), transient=True)
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._bars is not None:
            if what not in self._tasks:
                self._tasks[what] = self._bars.add_task(what, total=total or None)
            self._bars.update(self._tasks[what], completed=done, total=total or None)
            return
        tenth = 10 * done // total if total else 0
        if (what, tenth) != self._last:
            self._last = (what, tenth)
            print(f"{self._name}: {what}{f' {done:,} of {total:,}' if total else ''}", file=sys.stderr)  # noqa: T201
