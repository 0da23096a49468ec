"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.commands import completion

Directory = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="A study directory, such as runs/digits.",
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
        help="A preset's name or a study file.",
        show_default=False,
        autocompletion=completion.studies,
    ),
]
StudySources = Annotated[
    list[str],
    typer.Argument(
        metavar="STUDY",
        help="Presets or study files; patterns such as 'cub200-*' take all that fit.",
        show_default=False,
        autocompletion=completion.studies,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key of the study file, such as search.trials=8; may be repeated."
    ),
]
Storage = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of the study directories.", envvar="CSKD_STORAGE", show_default="runs"),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Ray: local, or host:port of a cluster.", envvar="RAY_ADDRESS", show_default="local"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Events = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Append what happens as JSON lines; - is standard output.",
        show_default=False,
        allow_dash=True,
    ),
]
Notify = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        help="Run this when the driver ends; it reads the study's status as JSON.",
        show_default=False,
    ),
]
Changed = Annotated[bool, typer.Option("--allow-changed", help="Go on although code or data have changed.")]
