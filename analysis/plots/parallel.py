"""Plots parallel coordinates: one line per trial through the values of its parameters, coloured by the objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.drawing import style
from analysis.records import frames, parameters
from analysis.words.wording import metric_words, number_of

if TYPE_CHECKING:
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.parameters import Parameter
    from analysis.records.result_files import Results

TITLE = "Parallel coordinates"
POSITION = 22

MOST_TRIALS = 200
_TOP: Any = {"orient": "top", "labelAngle": 0, "labelPadding": 8, "domain": False, "grid": True, "ticks": False}


@dataclass(frozen=True)
class Parallel:
    """Data of the figure.

    Attributes:
        metric: Objective.
        axes: Searched parameters, in order.
        places: One row per trial and axis: ``trial, axis, place, shown, value, winner``; ``place`` is in [0, 1],
            ``shown`` is the parameter's value as text.
        trials: Number of completed trials, of which the best and others evenly spaced by rank are drawn.
    """

    metric: str
    axes: tuple[Parameter, ...]
    places: pd.DataFrame
    trials: int


def collect(results: Results) -> Parallel | None:
    """Returns the completed trials; None with fewer than two parameters or two trials."""
    import pandas as pd

    axes = parameters.searched(results)
    ranked = frames.ranked_trials(results)
    if len(axes) < 2 or len(ranked) < 2:
        return None
    kept = ranked.iloc[np.unique(np.linspace(0, len(ranked) - 1, MOST_TRIALS).astype(int))]
    values = kept[frames.objective(results)]
    parts = [
        pd.DataFrame(
            {
                "trial": kept["trial"],
                "axis": style.plain(parameter.label),
                "place": _places(parameter, kept[f"params/{parameter.name}"]),
                "shown": kept[f"params/{parameter.name}"].map(_shown),
                "value": values,
                "winner": kept["rank"] == 1,
            }
        )
        for parameter in axes
    ]
    places = pd.concat(parts, ignore_index=True).dropna(subset=["place"]).reset_index(drop=True)
    return Parallel(frames.objective(results), axes, places, len(ranked))


def caption(data: Parallel) -> str:
    """Returns the caption."""
    drawn = data.places["trial"].nunique()
    kept = (
        "" if drawn == data.trials else f", of which the best and every {data.trials / drawn:.0f}th by rank are drawn"
    )
    return (
        f"One line for each of {number_of(data.trials, 'completed search trial')}{kept}, through its value of each "
        f"parameter; colour: {metric_words(data.metric)}; thick: the best trial. Axes span the searched ranges."
    )


def draw(data: Parallel) -> Chart:
    """Draws vertical axes side by side, with their ends labelled."""
    import altair as alt

    order = [style.plain(parameter.label) for parameter in data.axes]
    x = alt.X("axis:N", sort=order, title=None, axis=alt.Axis(**_TOP))
    y = alt.Y("place:Q", axis=None, scale=alt.Scale(domain=[-0.05, 1.05]))
    shown = style.percent(data.places, ["value"], data.metric).sort_values("value", ascending=_best_last(data))
    scale = alt.Scale(scheme=style.scheme_of_lines(), reverse=frames.goal(data.metric) == "minimize")
    title = ["objective,", style.unit_of(data.metric)]
    lines = alt.Chart(style.inline(shown)).mark_line(strokeOpacity=0.6)
    drawn = lines.encode(
        x=x,
        y=y,
        detail="trial:N",
        color=alt.Color("value:Q", scale=scale, title=title),
        strokeWidth=alt.condition("datum.winner", alt.value(3.5), alt.value(1.0)),
        tooltip=["trial:Q", "axis:N", "shown:N", alt.Tooltip("value:Q", format=".3~f")],
    )
    labels = alt.Chart(style.inline(_ends(data))).mark_text(align="left", dx=5, fontSize=11, color=style.INK)
    ends = labels.encode(x=x, y=y, text="text:N")
    return alt.layer(drawn, ends).properties(width=style.WIDTH - 130, height=style.HEIGHT * 2 // 3)


def _best_last(data: Parallel) -> bool:
    return frames.goal(data.metric) != "minimize"


def _places(parameter: Parameter, values: pd.Series) -> pd.Series:
    """Returns the positions of values on their axis; non-numeric choices are evenly spaced in their order."""
    if parameter.spans:
        return values.astype(float).map(lambda value: float(parameter.unit([value])[0]))
    texts = [str(choice) for choice in parameter.choices]
    found = {text: place / max(len(texts) - 1, 1) for place, text in enumerate(texts)}
    return values.astype(str).map(found)


def _ends(data: Parallel) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for parameter in data.axes:
        label, choices = style.plain(parameter.label), parameter.choices
        if parameter.spans:
            rows += [(label, 0.0, _shown(parameter.low)), (label, 1.0, _shown(parameter.high))]
        else:
            rows += [(label, i / max(len(choices) - 1, 1), style.plain(c)[:18]) for i, c in enumerate(choices)]
    return pd.DataFrame(rows, columns=["axis", "place", "text"])


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else style.plain(value)
