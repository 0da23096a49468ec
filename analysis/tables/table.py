"""Converts tables to plain text, Markdown and CSV; text from outside can neither break a table nor act as a command."""

from __future__ import annotations

import csv
import io
import re
import textwrap
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


Cell = str | int | float | None


class Strong(str):
    """Emphasised text of a cell: bold, or with a star in plain text."""

    __slots__ = ()


_GAP = 2
_FIRST_COLUMN = 24
_NUMERIC = re.compile(r"[<−+-]?\d[\d.e+−±to ()%*=≠†-]*")  # also "0.1 ± 0.2", "−1 to +2" and "22.0 (−11 %) ="
_COMMAND_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Table:
    """A table before its layout.

    Attributes:
        title: Title, on one line.
        columns: Heads of the columns.
        rows: Rows with a cell for each column; None is an empty cell.
        notes: Notes below the table.
        heads: Number of leading columns that identify a row.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    heads: int = 1


def escape(text: str) -> str:
    r"""Escapes control, format and line-breaking characters, so that text stays on one line and hides nothing.

    Example:
        >>> escape("two\nlines")
        'two\\nlines'
    """
    return "".join(_escaped(character) for character in text)


def numeric_columns(table: Table) -> list[bool]:
    """Returns for each column whether all its cells are numbers, numeric text or empty, and so are right-aligned.

    Example:
        >>> numeric_columns(Table("", ("arm", "test %"), (("search/0", "4.59 ± 0.28"), ("controls/0", None))))
        [False, True]
    """
    return _numeric([[shown(cell) for cell in row] for row in table.rows], len(table.columns))


def to_text(table: Table, width: int = 80) -> str:
    """Returns aligned plain text; columns that do not fit continue below, with the head columns repeated.

    Long head cells, which are names to copy, are cut only if the table would be wider than ``width`` characters. A
    table without rows consists of its title and notes.
    """
    heads = [escape(column) for column in table.columns]
    body = [[shown(cell) + ("*" if isinstance(cell, Strong) else "") for cell in row] for row in table.rows]
    widths = [max(_width(line[i]) for line in [heads, *body]) for i in range(len(heads))]
    if sum(widths) + _GAP * (len(widths) - 1) > width:
        limits = [_FIRST_COLUMN if i < table.heads else width - _FIRST_COLUMN - _GAP for i in range(len(heads))]
        widths = list(map(min, widths, limits))
    right = numeric_columns(table)
    blocks = [
        "\n".join(_line(line, block, widths, right) for line in [heads, ["─" * size for size in widths], *body])
        for block in (_blocks(widths, width, table.heads) if table.rows else ())
    ]
    title, *notes = (_wrapped(text, width) for text in (table.title, *table.notes))
    return "\n\n".join([title, *blocks, *(["\n".join(notes)] if notes else [])]) + "\n"


def to_markdown(table: Table) -> str:
    """Returns a GitHub-flavoured Markdown table, with the title in bold above and the notes as a list below."""
    lines = [[_markdown(column) for column in table.columns], ["---"] * len(table.columns)]
    lines += [[_markdown_cell(cell) for cell in row] for row in table.rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = "".join(f"* {_markdown(note)}\n" for note in table.notes)
    return f"**{_markdown(table.title)}**\n\n{body}\n" + (f"\n{notes}" if notes else "")


def to_csv(table: Table) -> str:
    """Returns heads and rows as CSV; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerows([[_csv(cell) for cell in line] for line in (table.columns, *table.rows)])
    return sink.getvalue()


def _numeric(body: Sequence[Sequence[str]], columns: int) -> list[bool]:
    return [all(row[i] == "–" or bool(_NUMERIC.fullmatch(row[i])) for row in body) for i in range(columns)]


def _escaped(character: str) -> str:
    category = unicodedata.category(character)
    hidden = category[0] == "C" or category in ("Zl", "Zp")
    return character.encode("unicode_escape").decode() if hidden else character


def shown(cell: Cell) -> str:
    """Returns a cell as text: a dash if empty, floats with four significant digits, control characters escaped."""
    if cell is None:
        return "–"
    return escape(cell) if isinstance(cell, str) else f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _csv(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    return ("'" if cell.startswith(_COMMAND_STARTS) else "") + escape(cell)


def _markdown_cell(cell: Cell) -> str:
    text = _markdown(shown(cell))
    return f"**{text}**" if isinstance(cell, Strong) else text


def _markdown(text: str) -> str:
    return re.sub(r"([\\|<>*`\[\]])", r"\\\1", escape(text))


def _width(text: str) -> int:
    """Returns the width in a terminal: two for East Asian wide characters, none for combining ones."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _blocks(widths: Sequence[int], width: int, heads: int) -> Iterator[list[int]]:
    """Yields the columns of each block, which fit side by side; each block begins with the head columns."""
    leading = list(range(heads))
    block = leading.copy()
    for column in range(heads, len(widths)):
        if len(block) > heads and sum(widths[i] + _GAP for i in [*block, column]) - _GAP > width:
            yield block
            block = leading.copy()
        block.append(column)
    yield block


def _line(cells: Sequence[str], block: Sequence[int], widths: Sequence[int], right: Sequence[bool]) -> str:
    return (" " * _GAP).join(_padded(cells[i], widths[i], right=right[i]) for i in block).rstrip()


def _padded(text: str, width: int, *, right: bool) -> str:
    while _width(text) > width:
        text = text.removesuffix("…")[:-1] + "…"
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _wrapped(text: str, width: int) -> str:
    escaped = escape(text)
    columns = width if _width(escaped) <= len(escaped) else width // 2  # textwrap counts wide characters as one
    return textwrap.fill(escaped, columns, break_on_hyphens=False, subsequent_indent="  ") if escaped else ""
