"""Plots the importance of each parameter for the objective, by two measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.drawing import style
from analysis.records import frames
from analysis.records.parameters import searched
from analysis.statistics import importance
from analysis.words.wording import metric_words

if TYPE_CHECKING:
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Parameter importance"
POSITION = 25

ROW_HEIGHT = 46


@dataclass(frozen=True)
class Importances:
    """Data of the figure.

    Attributes:
        metric: Objective.
        shares: Columns ``parameter, evaluator, importance``; parameters are given by their symbols.
    """

    metric: str
    shares: pd.DataFrame


def collect(results: Results) -> Importances | None:
    """Returns the importances of all searched parameters; None with too few trials or parameters."""
    shares = importance.importances(results)
    if shares.empty:
        return None
    labels = {parameter.name: style.plain(parameter.label) for parameter in searched(results)}
    return Importances(frames.objective(results), shares.assign(parameter=shares["parameter"].map(labels)))


def caption(data: Importances) -> str:
    """Returns the caption."""
    results = []
    for evaluator, group in data.shares.groupby("evaluator", sort=False):
        ranked = group.sort_values("importance", ascending=False, kind="stable")
        rows = zip(ranked["parameter"], ranked["importance"], strict=True)
        shares = ", ".join(f"{parameter} {100 * share:.0f} %" for parameter, share in rows)
        results.append(f"{evaluator}: {shares}.")
    return (
        f"Importance of each parameter for the {metric_words(data.metric)} over the searched range; the shares add up "
        "to 100 %. PED-ANOVA: how much it distinguishes the best tenth of the completed trials from the rest; fANOVA: "
        "how much of the variance over the whole space it explains alone, by a forest of "
        f"{importance.TREES} trees. {' '.join(results)}"
    )


def draw(data: Importances) -> Chart:
    """Draws two bars per parameter."""
    import altair as alt

    shown = data.shares.assign(importance=100 * data.shares["importance"])
    order = list(dict.fromkeys(shown.sort_values("importance", ascending=False, kind="stable")["parameter"]))
    names = [importance.PED_ANOVA, importance.FANOVA]
    scale = alt.Scale(domain=names, range=[style.WINNER, style.BASELINE])
    bars = alt.Chart(style.inline(shown)).mark_bar(cornerRadiusEnd=2)
    return bars.encode(
        x=alt.X("importance:Q", title="share of the importance, %", scale=alt.Scale(domainMin=0)),
        y=alt.Y("parameter:N", title=None, sort=order, axis=alt.Axis(ticks=False, domain=False)),
        yOffset=alt.YOffset("evaluator:N", sort=names),
        color=alt.Color("evaluator:N", title="measure", scale=scale),
        tooltip=["parameter:N", "evaluator:N", alt.Tooltip("importance:Q", title="share, %", format=".1~f")],
    ).properties(width=style.WIDTH - 220, height=ROW_HEIGHT * len(order))
