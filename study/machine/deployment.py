"""Files that start clusters and services, each with what to do with it at its head."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path

from study.errors import UsageError


def templates() -> dict[str, Path]:
    """All files, by name."""
    folder = Path(str(resources.files("study.machine.deploy")))
    return {path.name: path for path in sorted(folder.iterdir()) if path.suffix in (".sh", ".yaml")}


def text_of(name: str) -> str:
    """A file's text.

    Raises:
        UsageError: There is no such file.
    """
    found = templates()
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        raise UsageError(
            f"{name}: there is no such file; {f'did you mean {near[0]!r}?' if near else '`cskd deploy` lists them'}"
        )
    return found[name].read_text(encoding="utf-8")


def purpose(name: str) -> str:
    """What a file is for: the first line of its comment."""
    lines = text_of(name).splitlines()
    return next(line for line in lines if not line.startswith("#!")).removeprefix("# ").removesuffix(".")
