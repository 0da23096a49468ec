"""Builds the best-config table: one row per arm, with notes on what each number is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.findings.table_notes import edges, notes
from analysis.tables.table import Cell, Table
from analysis.words.wording import hours, minus, probability, scale_of, signed, spread
from search_spaces.symbols import symbol

if TYPE_CHECKING:
    from analysis.findings.best_config import Arm, BestConfig


def best_config_table(best: BestConfig) -> Table:
    """Returns the table, one row per arm with the winner first, with its notes."""
    unit = "%" if scale_of(best.metric)[0] == 100 else "nats"
    names = _shown_parameters(best)
    columns = (
        *("arm", "method", *(symbol(name).text for name in names), f"validation {unit}", f"test {unit}", "n"),
        *(f"at best validation {unit}", f"best on test {unit}"),
        *("Δ to CE", "95 % interval", "p", "reduction %", "optimism", f"paper {unit}", "at an edge", "device h"),
    )
    rows = tuple(_row(arm, names, best.metric) for arm in best.arms)
    kept = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    title = f"{best.study}: best configuration on {best.dataset}, {best.model} ({best.metric})"
    return Table(
        title, tuple(columns[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in rows), notes(best)
    )


def _shown_parameters(best: BestConfig) -> list[str]:
    """Returns the searched parameters, and those in which arms differ."""
    found: dict[str, set[str]] = {name: set() for name in best.searched}
    for arm in best.arms:
        for name, value in arm.hyperparameters.items():
            found.setdefault(name, set()).add(repr(value))
    return [name for name, values in found.items() if name in best.searched or len(values) > 1]


def _row(arm: Arm, names: list[str], metric: str) -> tuple[Cell, ...]:
    test, difference, printed = arm.test, arm.difference, arm.published
    interval = difference.interval if difference else None
    return (
        *(arm.name, arm.method, *(arm.hyperparameters.get(name) for name in names)),
        spread(arm.search_value, None, metric),
        spread(test.mean, test.std, metric) if test else None,
        test.n if test else None,
        spread(arm.at_best_validation.mean, arm.at_best_validation.std, metric) if arm.at_best_validation else None,
        spread(arm.best_test.mean, arm.best_test.std, metric) if arm.best_test else None,
        signed(difference.mean, metric) if difference else None,
        f"{signed(interval.low, metric)} to {signed(interval.high, metric)}" if interval else None,
        probability(difference.p) if difference else None,
        None if arm.error_reduction is None else minus(f"{arm.error_reduction:.1f}"),
        signed(arm.optimism, metric),
        spread(printed.mean, printed.std, metric) if printed else None,
        edges(arm),
        hours(arm.device_hours),
    )
