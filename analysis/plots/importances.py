"""How much each parameter matters to the objective, by two measures that ask different things."""

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

TITLE = "What matters"
POSITION = 25

ROW_HEIGHT = 46


@dataclass(frozen=True)
class Importances:
    """Numbers of the figure.

    Attributes:
        metric: The objective.
        shares: Columns ``parameter, evaluator, importance``, the parameter by its symbol.
    """

    metric: str
    shares: pd.DataFrame


def collect(results: Results) -> Importances | None:
    """Importances of all searched parameters; None where there are too few trials or parameters."""
    shares = importance.importances(results)
    if shares.empty:
        return None
    labels = {parameter.name: style.plain(parameter.label) for parameter in searched(results)}
    return Importances(frames.objective(results), shares.assign(parameter=shares["parameter"].map(labels)))


def caption(data: Importances) -> str:
    """Both measures in words with their numbers."""
    said = []
    for evaluator, group in data.shares.groupby("evaluator", sort=False):
        ranked = group.sort_values("importance", ascending=False, kind="stable")
        rows = zip(ranked["parameter"], ranked["importance"], strict=True)
        shares = ", ".join(f"{parameter} {100 * share:.0f} %" for parameter, share in rows)
        said.append(f"{evaluator}: {shares}.")
    return (
        f"How much each parameter matters to the {metric_words(data.metric)} over the range that was searched. "
        "PED-ANOVA: what distinguishes the best tenth of the completed trials from the rest; fANOVA: share of the "
        f"variance over the whole space, by a forest of {importance.TREES} trees. {' '.join(said)}"
    )


def draw(data: Importances) -> Chart:
    """Two bars a parameter."""
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
