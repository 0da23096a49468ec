r"""Converts tables to LaTeX: a ``table`` environment that compiles with ``booktabs``, ``graphicx`` and any fonts.

Text from outside can neither break the table nor run a command: special characters are replaced by commands, and
non-ASCII characters without a replacement by their code point.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from analysis.tables.table import Strong, numeric_columns, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.tables.table import Cell, Table

PREAMBLE = r"\usepackage{booktabs,graphicx}"
_MOST_COLUMNS = 6  # wider tables are scaled to the width of the text

_TEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"},
    **{"<": r"$<$", ">": r"$>$", "|": r"$|$", '"': r"\textquotedbl{}", "-": "{-}", "'": "{'}", "`": "{`}"},
    **{"±": r"$\pm$", "−": r"$-$", "×": r"$\times$", "≠": r"$\neq$", "≤": r"$\leq$", "≥": r"$\geq$", "†": r"$\dagger$"},
    **{"Δ": r"$\Delta$", "λ": r"$\lambda$", "ε": r"$\varepsilon$", "α": r"$\alpha$", "β": r"$\beta$", "μ": r"$\mu$"},
    **{"η": r"$\eta$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "–": "--", "…": r"\ldots{}", "°": r"$^\circ$"},
}
_SYMBOL = re.compile(r"(?<![\w\\])(λ|μ|η|ε|α|β)_(\w+)")


def to_latex(table: Table, label: str = "") -> str:
    r"""Returns a table with caption, ``booktabs`` rules and notes; the document needs ``PREAMBLE``.

    Args:
        table: Table to convert; numeric columns are right-aligned.
        label: Label for ``\ref``, of letters, digits, colons and hyphens; empty for none.

    Example:
        >>> from analysis.tables.table import Table
        >>> print(to_latex(Table("T", ("arm", "x"), (("a_b", 0.5),))), end="")
        \begin{table}
        \centering
        \caption{T}
        \begin{tabular}{lr}
        \toprule
        arm & x \\
        \midrule
        a\_b & 0.5 \\
        \bottomrule
        \end{tabular}
        \end{table}
    """
    kinds = "".join("r" if numeric else "l" for numeric in numeric_columns(table))
    reference = [rf"\label{{{label}}}"] if label else []
    return "\n".join(
        [
            *(r"\begin{table}", r"\centering", rf"\caption{{{tex(table.title)}}}", *reference),
            *_fitted(
                [
                    *(rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", _row(table.columns), r"\midrule"),
                    *_body(table),
                    *(r"\bottomrule", r"\end{tabular}"),
                ],
                len(table.columns),
            ),
            *(*_notes(table.notes), r"\end{table}", ""),
        ]
    )


def tex(text: str) -> str:
    r"""Escapes text for LaTeX.

    Example:
        >>> print(tex("50 % of λ_cls ± ☃"))
        50 \% of $\lambda_{\mathrm{cls}}$ $\pm$ \texttt{U+2603}
    """
    parts, end = [], 0
    for found in _SYMBOL.finditer(text):
        subscript = _letters(found[2])
        parts += [_letters(text[end : found.start()]), f"{_TEX[found[1]][:-1]}_{{\\mathrm{{{subscript}}}}}$"]
        end = found.end()
    return "".join([*parts, _letters(text[end:])])


def _letters(text: str) -> str:
    return "".join(_TEX.get(c, c if c.isascii() else rf"\texttt{{U+{ord(c):04X}}}") for c in text)


def _fitted(tabular: list[str], columns: int) -> list[str]:
    """Scales a wide table to the width of the text."""
    return tabular if columns <= _MOST_COLUMNS else [r"\resizebox{\linewidth}{!}{%", *tabular, "}"]


def _body(table: Table) -> list[str]:
    """Returns the rows, with a rule where the first of several head columns changes."""
    lines: list[str] = []
    for place, row in enumerate(table.rows):
        if table.heads > 1 and place and row[0] != table.rows[place - 1][0]:
            lines.append(r"\midrule")
        lines.append(_row(row))
    return lines


def _row(cells: Sequence[Cell]) -> str:
    """Returns a row; braces keep a cell's bracket or star from being read as an argument of the row before."""
    return " & ".join(_cell(cell) for cell in cells) + r" \\"


def _cell(cell: Cell) -> str:
    text = tex(shown(cell))
    text = f"{{{text}}}" if text.startswith(("[", "*")) else text
    return rf"\textbf{{\boldmath {text}}}" if isinstance(cell, Strong) else text


def _notes(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    lines = [rf"{tex(note)}\par" for note in notes]
    return [r"\par\medskip", r"\begin{minipage}{\linewidth}\footnotesize", *lines, r"\end{minipage}"]
