"""Lays out the paper's tables: rows and columns as printed, our values next to the paper's."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from analysis.paper.cells import place_words
from analysis.tables.table import Strong, Table
from analysis.words.naming import DATASETS, method_name
from analysis.words.wording import probability, signed, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from analysis.paper.cells import PaperCell, PaperTable
    from analysis.tables.table import Cell

_TITLES = {
    1: "top-1 error of output regularisers, %",
    2: "top-1 error of self-distillation methods, ResNet-18, %",
    3: "top-1 error with Mixup, ResNet-18, %",
    4: "top-1 error with knowledge distillation, student ResNet-10, %",
    5: "top-1 error on ImageNet, one crop, %",
    6: "top-5 error, ECE and recall@1, ResNet-18, %",
}
_MEASURES = {"top1_error": "Top-1 ↓", "top5_error": "Top-5 ↓", "ece": "ECE ↓", "recall_at_1": "R@1 ↑"}
_HEADS = ("Measure", "Model", "Method")
_MARKS = {"agrees": "=", "differs": "≠", "not comparable": "†", "not tested": ""}
_METRIC = "test/top1_error"  # every value in these tables is printed as percent with two decimals


def by_name(tables: Iterable[PaperTable]) -> dict[str, Table]:
    """Returns the tables by the names of their files, such as ``paper_table_1``."""
    return {f"paper_table_{table.number}": layout(table) for table in tables}


def layout(table: PaperTable, *, filled_only: bool = False) -> Table:
    """Returns a table with the paper's rows and columns; cells that no study fills are empty.

    Args:
        table: Table of the paper.
        filled_only: Whether to omit data sets for which no study has a value, for a narrow terminal.
    """
    shown = [cell for cell in table.cells if cell.ours or not filled_only]
    datasets = list(dict.fromkeys(cell.place.dataset for cell in shown))
    lines: dict[tuple[str, ...], dict[str, PaperCell]] = defaultdict(dict)
    for cell in table.cells:
        lines[_heads(cell)][cell.place.dataset] = cell
    varying = _varying_heads(list(lines))
    title = f"The paper's Table {table.number}: {_TITLES[table.number]}"
    return Table(
        title,
        (*(_HEADS[i] for i in varying), *_columns(table, datasets)),
        tuple((*(heads[i] for i in varying), *_row(line, datasets)) for heads, line in lines.items()),
        tuple(_notes(table.cells)),
        heads=len(varying),
    )


def sheet(tables: Iterable[PaperTable]) -> Table:
    """Returns one row per cell of all tables, with unrounded fractions, for programs."""
    columns = (
        *("table", "dataset", "model", "method", "metric", "mean", "std", "n", "reduction_percent"),
        *("paper_mean", "paper_std", "paper_n", "difference", "p", "agreement", "not_comparable", "study", "arm"),
    )
    return Table("The paper's tables", columns, tuple(_line(cell) for table in tables for cell in table.cells))


def _heads(cell: PaperCell) -> tuple[str, ...]:
    model, metric = cell.block
    return _MEASURES[metric], model, method_name(cell.place.method)


def _varying_heads(heads: Sequence[tuple[str, ...]]) -> list[int]:
    """Returns the head columns in which rows differ, and always the method."""
    return [i for i in range(len(_HEADS)) if i == len(_HEADS) - 1 or len({line[i] for line in heads}) > 1]


def _columns(table: PaperTable, datasets: Sequence[str]) -> list[str]:
    if len({cell.place.dataset for cell in table.cells}) == 1:  # which the title names
        return ["ours", "paper"]
    return [title for name in datasets for title in (DATASETS[name], f"{DATASETS[name]}, paper")]


def _row(line: dict[str, PaperCell], datasets: Iterable[str]) -> Iterator[Cell]:
    for name in datasets:
        cell = line.get(name)
        yield _shown(cell) if cell else None
        yield _printed(cell) if cell else None


def _shown(cell: PaperCell) -> Cell:
    if cell.ours is None:
        return None
    value = _value(cell.ours.mean, cell.ours.std, cell.reduction)
    text = f"{value} {_MARKS[cell.agreement or 'not tested']}".rstrip()
    return Strong(text) if cell.best else text


def _printed(cell: PaperCell) -> Cell:
    text = _value(cell.printed.mean, cell.printed.std, cell.printed_reduction)
    return Strong(text) if cell.printed_best else text


def _value(mean: float, std: float | None, reduction: float | None) -> str:
    """Returns a value with its relative change as the paper prints it: negative for fewer errors."""
    change = "" if reduction is None else f" ({-reduction:+.1f} %)".replace("-", "−")
    return f"{spread(mean, std, _METRIC)}{change}"


def _notes(cells: Sequence[PaperCell]) -> Iterator[str]:
    ours = [cell for cell in cells if cell.ours]
    counts = " or ".join(str(n) for n in sorted({cell.ours.n for cell in ours if cell.ours}))
    yield f"Ours: mean ± sample standard deviation over fresh seeds (n={counts}); bold or *: best of block and column."
    agreements = {cell.agreement for cell in ours}
    if agreements & {"agrees", "differs"}:
        yield "=: agrees with the paper's value; ≠: differs from it (Welch's t-test at 5 %, not corrected)."
    yield from (_difference(cell) for cell in ours if cell.agreement == "differs")
    if "not comparable" in agreements:
        yield from _obstacles(ours)
    yield from _digests(ours)
    yield from _origins(ours)


def _difference(cell: PaperCell) -> str:
    assert cell.ours  # noqa: S101 - the caller checked
    difference = signed(cell.ours.mean - cell.printed.mean, _METRIC)
    p = f"p = {probability(cell.p)}".replace("= <", "< ")
    return f"{place_words(cell.place)}: {difference} points against the paper ({p})."


def _obstacles(ours: Iterable[PaperCell]) -> Iterator[str]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for cell in ours:
        if cell.obstacle:
            reasons[cell.obstacle].append(place_words(cell.place))
    for reason, where in reasons.items():
        yield f"†: not comparable with the paper ({', '.join(dict.fromkeys(where))}): {reason}."


def _digests(ours: Iterable[PaperCell]) -> Iterator[str]:
    """Yields a note for each data set whose cells were measured on different data or splits."""
    found: dict[str, set[object]] = defaultdict(set)
    for cell in ours:
        found[cell.place.dataset].add(cell.origin and cell.origin.digests)
    for name, digests in found.items():
        if len(digests) > 1:
            yield f"{DATASETS[name]}: the studies differ in training data or validation split."


def _origins(ours: Iterable[PaperCell]) -> Iterator[str]:
    sources: dict[str, list[str]] = defaultdict(list)
    for cell in ours:
        if cell.origin:
            sources[f"{cell.origin.study}, {cell.origin.arm} ({cell.origin.role})"].append(place_words(cell.place))
    for source, where in sources.items():
        yield f"{'; '.join(dict.fromkeys(where))}: from {source}."


def _line(cell: PaperCell) -> tuple[Cell, ...]:
    ours, printed, origin = cell.ours, cell.printed, cell.origin
    return (
        *cell.place,
        *(ours or (None, None, None)),
        *(cell.reduction, printed.mean, printed.std, printed.seeds),
        ours.mean - printed.mean if ours else None,
        *(cell.p, cell.agreement, cell.obstacle),
        *((origin.study, origin.arm) if origin else (None, None)),
    )
