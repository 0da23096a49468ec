"""What commands print: lines, tables and JSON on standard output."""

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

COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red"}  # on a terminal only
NARROWEST = 40


def width() -> int:
    """Columns of the terminal: ``COLUMNS``, else what the terminal says, else 80."""
    return max(shutil.get_terminal_size((80, 24)).columns, NARROWEST)


def say(text: str) -> None:
    """Prints a line; what it quotes can neither break it nor act as a command of the terminal."""
    from analysis.tables.table import escape

    write(escape(text))


def write(text: str) -> None:
    """Prints text that is laid out and harmless already."""
    Console(soft_wrap=True).print(text, markup=False, highlight=False)


def write_new(path: Path, text: str) -> None:
    """Writes a file that must not exist yet.

    Raises:
        CannotCreateError: It exists, or cannot be written.
    """
    from study.errors import CannotCreateError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CannotCreateError(f"{path}: exists already; give --out another name") from None
    except OSError as error:
        raise CannotCreateError(f"{path}: cannot be written: {error.strerror}") from error


def write_over(path: Path, content: bytes) -> None:
    """Writes a file in place of any that is there.

    Raises:
        CannotCreateError: It cannot be written there.
    """
    from study.errors import CannotCreateError
    from trainables.files.durable import write_atomic

    try:
        write_atomic(path.absolute(), content)
    except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise CannotCreateError(f"{path}: cannot be written: {error.strerror}; give --out another name") from error


def show(table: Table) -> None:
    """Prints a table that fits the terminal."""
    from analysis.tables.table import to_text

    write(to_text(table, width()))


def show_json(value: Any) -> None:
    """Prints a value for scripts; JSON escapes every control character."""
    write(json.dumps(value, indent=1))


def show_entries(entries: Mapping[str, str]) -> None:
    """Prints ``name: text`` for each entry, long texts indented below their name."""
    from analysis.tables.table import escape

    for name, text in entries.items():
        write(textwrap.fill(escape(f"{name}: {text}"), width(), subsequent_indent="  ", break_on_hyphens=False))


def show_finding(finding: Finding) -> None:
    """Prints a finding behind its level, what to do indented below."""
    from analysis.tables.table import escape

    told = escape(f"{finding.level:<9}{finding.subject}: {finding.found}")
    lines = textwrap.wrap(told, width(), subsequent_indent=" " * 9, break_on_hyphens=False)
    if finding.cure:
        indent = " " * 9
        lines += textwrap.wrap(
            f"→ {escape(finding.cure)}", width(), initial_indent=indent, subsequent_indent=f"{indent}  "
        )
    text = Text("\n".join(lines))
    text.stylize(COLOURS[finding.level], 0, len(finding.level))
    Console(soft_wrap=True).print(text)
