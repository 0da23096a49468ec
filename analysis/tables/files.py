"""Writes tables as files and download links, in CSV, Markdown and LaTeX."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from analysis.tables.latex import to_latex
from analysis.tables.table import to_csv, to_markdown
from trainables.files.durable import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.tables.table import Table

KINDS = {"csv": "CSV", "md": "Markdown", "tex": "LaTeX"}
_WRITERS = {"csv": to_csv, "md": to_markdown, "tex": to_latex}
_MEDIA = {"csv": "text/csv", "md": "text/markdown", "tex": "application/x-tex"}


def content(table: Table, kind: str) -> str:
    """Returns a table as the text of a file.

    Args:
        table: Table to convert.
        kind: Format, one of ``KINDS``.
    """
    return _WRITERS[kind](table)


def write(table: Table, directory: Path, name: str) -> None:
    """Writes a table in every format, as ``<name>.<kind>``.

    Raises:
        OSError: The disk is full or the directory not writable.
    """
    for kind in KINDS:
        write_atomic(directory / f"{name}.{kind}", content(table, kind).encode())


def link(table: Table, kind: str) -> str:
    """Returns a data URL of the whole file, so that it can be downloaded from the page alone."""
    data = base64.b64encode(content(table, kind).encode()).decode()
    return f"data:{_MEDIA[kind]};charset=utf-8;base64,{data}"
