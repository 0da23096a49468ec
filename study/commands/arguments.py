"""Arguments and options shared by several commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.commands import completion

Directory = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="Study directory, such as runs/digits.",
        show_default=False,
        autocompletion=completion.directories,
    ),
]
Directories = Annotated[
    list[Path],
    typer.Argument(
        metavar="DIR",
        help="Study directories, such as runs/digits.",
        show_default=False,
        autocompletion=completion.directories,
    ),
]
StudySource = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        help="Preset or study file.",
        show_default=False,
        autocompletion=completion.studies,
    ),
]
StudySources = Annotated[
    list[str],
    typer.Argument(
        metavar="STUDY",
        help="Presets or study files; a pattern such as 'cub200-*' selects all matches.",
        show_default=False,
        autocompletion=completion.studies,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key of the study file, such as search.trials=8; repeatable."
    ),
]
Storage = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of the study directories.", envvar="CSKD_STORAGE", show_default="runs"),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Ray cluster: local, or host:port.", envvar="RAY_ADDRESS", show_default="local"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Events = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Append events as JSON lines to FILE; - is standard output.",
        show_default=False,
        allow_dash=True,
    ),
]
Notify = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        help="Run COMMAND when the driver ends, with the study's status as JSON on its standard input.",
        show_default=False,
    ),
]
Changed = Annotated[bool, typer.Option("--allow-changed", help="Continue although code or data have changed.")]
