"""Standard output of the commands: lines, tables and JSON."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.tables.table import Table
    from study.commands.doctor.finding import Finding

COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red"}  # used on a terminal only
MIN_WIDTH = 40


def width() -> int:
    """Returns the width in columns: ``COLUMNS``, else the terminal's width, else 80; at least 40."""
    return max(shutil.get_terminal_size((80, 24)).columns, MIN_WIDTH)


def say(text: str) -> None:
    """Prints a line, with line breaks and control characters escaped."""
    from analysis.tables.table import escape

    write(escape(text))


def write(text: str) -> None:
    """Prints text that is already formatted and escaped."""
    Console(soft_wrap=True).print(text, markup=False, highlight=False)


def write_new(path: Path, text: str) -> None:
    """Writes a new file.

    Raises:
        CannotCreateError: The file exists or cannot be written.
    """
    from study.errors import CannotCreateError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CannotCreateError(f"{path}: already exists; choose another --out") from None
    except OSError as error:
        raise CannotCreateError(f"{path}: cannot be written: {error.strerror}") from error


def write_over(path: Path, content: bytes) -> None:
    """Writes a file, replacing an existing one.

    Raises:
        CannotCreateError: The file cannot be written.
    """
    from study.errors import CannotCreateError
    from trainables.files.durable import write_atomic

    try:
        write_atomic(path.absolute(), content)
    except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise CannotCreateError(f"{path}: cannot be written: {error.strerror}; choose another --out") from error


def show(table: Table) -> None:
    """Prints a table, fitted to the width of the terminal."""
    from analysis.tables.table import to_text

    write(to_text(table, width()))


def show_json(value: Any) -> None:
    """Prints a value as JSON, which escapes every control character."""
    write(json.dumps(value, indent=1))


def show_entries(entries: Mapping[str, str]) -> None:
    """Prints ``name: text`` for each entry; continuation lines are indented."""
    from analysis.tables.table import escape

    for name, text in entries.items():
        write(textwrap.fill(escape(f"{name}: {text}"), width(), subsequent_indent="  ", break_on_hyphens=False))


def show_finding(finding: Finding) -> None:
    """Prints a finding after its level, with the remedy indented below."""
    from analysis.tables.table import escape

    line = escape(f"{finding.level:<9}{finding.subject}: {finding.found}")
    lines = textwrap.wrap(line, width(), subsequent_indent=" " * 9, break_on_hyphens=False)
    if finding.cure:
        indent = " " * 9
        lines += textwrap.wrap(
            f"→ {escape(finding.cure)}", width(), initial_indent=indent, subsequent_indent=f"{indent}  "
        )
    text = Text("\n".join(lines))
    text.stylize(COLOURS[finding.level], 0, len(finding.level))
    Console(soft_wrap=True).print(text)
