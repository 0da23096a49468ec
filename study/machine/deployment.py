"""Gives access to the files that start clusters and services; a comment at the top of each explains its use."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path

from study.errors import UsageError


def templates() -> dict[str, Path]:
    """Returns the paths of all files, by name."""
    folder = Path(str(resources.files("study.machine.deploy")))
    return {path.name: path for path in sorted(folder.iterdir()) if path.suffix in (".sh", ".yaml")}


def text_of(name: str) -> str:
    """Returns the text of a file.

    Raises:
        UsageError: The file does not exist.
    """
    found = templates()
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        raise UsageError(
            f"{name}: no such file; {f'did you mean {near[0]!r}?' if near else '`cskd deploy` lists them'}"
        )
    return found[name].read_text(encoding="utf-8")


def purpose(name: str) -> str:
    """Returns the purpose of a file: the first line of its comment."""
    lines = text_of(name).splitlines()
    return next(line for line in lines if not line.startswith("#!")).removeprefix("# ").removesuffix(".")
