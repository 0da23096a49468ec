"""Commands that list presets, methods, models and data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from study.commands.arguments import AsJson
from study.commands.output import show_entries, show_json

if TYPE_CHECKING:
    from study.definition.study_config import StudyConfig

PANEL = "Catalogue"

app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: cskd presets cub200")
def presets(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="List only presets whose name contains TEXT.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the built-in studies.

    Presets are short examples, and one study for each row of the paper's tables.
    """
    from study.definition import loading

    studies = {name: loading.preset(name) for name in loading.presets() if text in name}
    if as_json:
        show_json([{"name": name, "study": study.resolved()} for name, study in studies.items()])
        return
    show_entries({name: _summary(study) for name, study in studies.items()})


@app.command(rich_help_panel=PANEL, epilog="Example: cskd methods --json")
def methods(as_json: AsJson = False) -> None:
    """List the training methods."""
    _parts("methods", as_json=as_json)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd models")
def models(as_json: AsJson = False) -> None:
    """List the models."""
    _parts("models", as_json=as_json)


@app.command(rich_help_panel=PANEL, epilog="Example: cskd datasets --json")
def datasets(as_json: AsJson = False) -> None:
    """List the data sets."""
    _parts("datasets", as_json=as_json)


def _parts(package: str, *, as_json: bool) -> None:
    from trainables.interfaces import registry

    parts = {name: registry.load(package, name) for name in registry.available(package)}
    summaries = {name: (part.__doc__ or "").strip().splitlines()[0] for name, part in parts.items()}
    if as_json:
        options = {name: sorted(part.model_fields) for name, part in parts.items()}
        show_json([{"name": name, "summary": summaries[name], "options": options[name]} for name in parts])
        return
    show_entries(summaries)


def _summary(study: StudyConfig) -> str:
    from analysis.words.wording import number_of

    parts = (study.method.part_name(), study.dataset.part_name(), study.model.part_name())
    return f"{parts[0]} on {parts[1]} with {parts[2]}, {number_of(study.search.trials, 'trial')}"
