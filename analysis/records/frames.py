"""Selects tidy frames from a study's results: one observation per row, for statistics and plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainables.metrics.classification import METRICS
from trainables.metrics.metric_name import MetricName

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from analysis.records.result_files import Results


def goal(metric: str) -> str:
    """Returns ``minimize`` or ``maximize`` for a metric such as ``validation/top1_error``.

    Example:
        >>> goal("validation/top1_error"), goal("test/recall_at_1")
        ('minimize', 'maximize')
    """
    return METRICS[MetricName.parse(metric).quantity].goal


def objective(results: Results) -> str:
    """Returns the metric that the search optimised; the first of several, by which trials are ranked."""
    return str(results.study["objectives"][0])


def ranked_trials(results: Results) -> pd.DataFrame:
    """Returns the completed search trials, best first, with the columns of ``trials`` and ``rank`` (from 1).

    Ties go to the lower ``validation/nll`` (a trial without it comes last), then to the lower trial number. A trial
    that completed without a value of the objective is omitted.
    """
    metric, trials = objective(results), results.trials
    done = trials[(trials["phase"] == "search") & (trials["state"] == "COMPLETE")]
    done = done.reindex(columns=[*done.columns, *({metric, "validation/nll"} - set(done.columns))])
    rising = [goal(metric) == "minimize", True, True]
    ranked = done.dropna(subset=[metric]).sort_values([metric, "validation/nll", "trial"], ascending=rising)
    return ranked.reset_index(drop=True).assign(rank=range(1, len(ranked) + 1))


def search_points(results: Results, names: Sequence[str]) -> pd.DataFrame:
    """Returns all search trials by number: columns ``trial, state, value`` and one for each parameter in ``names``.

    The value is the objective after the last epoch, also for a trial that did not complete; NaN if there is none.
    """
    metric, trials = objective(results), results.trials
    columns = {"trial": "trial", "state": "state", metric: "value", **{f"params/{name}": name for name in names}}
    found = trials[trials["phase"] == "search"].reindex(columns=list(columns)).rename(columns=columns)
    return found.sort_values("trial").reset_index(drop=True)


def trial(results: Results, name: str | None) -> pd.DataFrame:
    """Returns the row of ``trials`` with a name such as ``search/7``; no row if there is none."""
    trials = results.trials
    return trials[trials["phase"].str.cat(trials["trial"].astype(str), sep="/") == name]


def control_value(results: Results, name: str | None) -> float | None:
    """Returns the objective's value of a control such as ``controls/0``; None if it has none."""
    metric, found = objective(results), trial(results, name)
    values = found.reindex(columns=[metric])[metric][found["state"] == "COMPLETE"].dropna()
    return float(values.iloc[0]) if len(values) else None


def learning_curves(results: Results, metric: str) -> pd.DataFrame:
    """Returns columns ``phase, trial, epoch, value`` of a metric of ``epochs``, sorted, without missing values."""
    columns = ["phase", "trial", "epoch"]
    if metric not in results.epochs:
        return results.epochs[columns].iloc[:0].assign(value=0.0)
    curves = results.epochs[[*columns, metric]].rename(columns={metric: "value"})
    return curves.dropna(subset=["value"]).sort_values(columns).reset_index(drop=True)


def confirmations(results: Results, metric: str) -> pd.DataFrame:
    """Returns columns ``arm, seed, trial, trained_on, value`` of the completed confirmation runs, by arm and trial."""
    frame = results.confirmations
    columns = ["arm", "seed", "trial", "trained_on"]
    if metric not in frame:
        return frame[columns].iloc[:0].assign(value=0.0)
    done = frame.loc[frame["state"] == "COMPLETE", [*columns, metric]].rename(columns={metric: "value"})
    return done.dropna(subset=["value"]).sort_values(["arm", "trial"]).reset_index(drop=True)


def values_by_seed(results: Results, metric: str) -> dict[str, dict[int, float]]:
    """Returns the value of each seed of each arm with a completed confirmation run, seeds in order of their runs."""
    values: dict[str, dict[int, float]] = {}
    for row in confirmations(results, metric).to_dict("records"):
        values.setdefault(str(row["arm"]), {})[int(row["seed"])] = float(row["value"])
    return values


def parameters(row: dict[str, Any]) -> dict[str, Any]:
    """Returns the searched parameters of a row of ``trials``, without those that the trial lacks.

    Example:
        >>> parameters({"trial": 0, "params/temperature": 4.0, "params/epsilon": None})
        {'temperature': 4.0}
    """
    found = {name.removeprefix("params/"): value for name, value in row.items() if name.startswith("params/")}
    return {name: value for name, value in found.items() if value is not None and value == value}  # noqa: PLR0124
