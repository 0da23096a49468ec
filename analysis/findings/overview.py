"""Tabulates the best configuration of several studies: data set, model, method, values and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.findings import best_config
from analysis.findings.table_notes import edges
from analysis.records.result_files import ResultsError
from analysis.tables.table import Table
from analysis.words.naming import DATASETS, method_name, method_rank
from analysis.words.wording import hours, interval_words, metric_words, number, probability, signed, spread
from search_spaces.symbols import symbol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.findings.best_config import Arm, BestConfig
    from analysis.records.result_files import Results
    from analysis.tables.table import Cell

_SHOWN = ("temperature", "lambda_cls", "lambda_e")
_TITLES = (
    *("data set", "model", "method", *(symbol(name).text for name in _SHOWN), "others", "metric", "validation"),
    *("test", "95 % interval", "n", "Δ to CE", "its 95 % interval", "p", "optimism", "at an edge", "device h", "study"),
)
_NOTES = (
    "Validation: the winner's search value, optimistic because it was selected. Test: mean ± sample standard "
    "deviation over n fresh seeds, with Student's 95 % interval of the mean. Δ to CE: winner minus cross-entropy of "
    "the same study, paired by seed, with the 95 % interval and p-value of the paired t-test, not corrected. "
    "Optimism: test minus "
    "validation. Values in percent, NLL in nats. Device h: device hours of all runs of the study.",
)


def overview_table(studies: Sequence[Results]) -> Table:
    """Returns a row for each study with a completed search trial, sorted by data set, model and method."""
    rows = [row for results in studies if (row := _row(results))]
    rows.sort(key=lambda row: (str(row[0]), str(row[1]), method_rank(str(row[2]))))
    named = tuple((_data_name(row[0]), row[1], method_name(str(row[2])), *row[3:]) for row in rows)
    kept = [i for i in range(len(_TITLES)) if any(row[i] is not None for row in named)]
    shown = tuple(tuple(row[i] for i in kept) for row in named)
    return Table("Best configurations", tuple(_TITLES[i] for i in kept), shown, _NOTES, heads=3 if rows else 1)


def _row(results: Results) -> tuple[Cell, ...] | None:
    try:
        best = best_config.collect(results)
    except ResultsError:
        return None
    arm = best.arms[0]
    return (
        *(best.dataset, best.model, arm.method),
        *(_parameter(arm.hyperparameters.get(name)) for name in _SHOWN),
        _others(best, arm),
        metric_words(best.metric).removeprefix("test "),
        spread(arm.search_value, None, best.metric),
        *_tested(best, arm),
        signed(arm.optimism, best.metric),
        edges(arm),
        hours(best.device_hours),
        best.study,
    )


def _tested(best: BestConfig, arm: Arm) -> tuple[Cell, ...]:
    test, difference = arm.test, arm.difference
    return (
        spread(test.mean, test.std, best.metric) if test else None,
        interval_words(arm.interval, best.metric),
        test.n if test else None,
        signed(difference.mean, best.metric) if difference else None,
        interval_words(difference.interval, best.metric, signs=True) if difference else None,
        probability(difference.p) if difference else None,
    )


def _parameter(value: Any) -> Cell:
    return value if value is None or isinstance(value, int | float) else str(value)


def _others(best: BestConfig, arm: Arm) -> Cell:
    """Returns the searched parameters that have no column."""
    found = (name for name in best.searched if name not in _SHOWN and name in arm.hyperparameters)
    return ", ".join(f"{symbol(name).text} = {number(arm.hyperparameters[name])}" for name in found) or None


def _data_name(name: Cell) -> Cell:
    return DATASETS.get(str(name), name)
