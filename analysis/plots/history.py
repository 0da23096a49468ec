"""Plots the objective by trial number, with the best value so far: whether the search still improved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.drawing import style
from analysis.records import frames
from analysis.words.wording import capital, metric_words, number_of, spread

if TYPE_CHECKING:
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Search history"
POSITION = 26


@dataclass(frozen=True)
class History:
    """Data of the figure.

    Attributes:
        metric: Objective.
        points: One row per search trial with a value, by number: ``trial, state, value``.
        best: One row per completed trial: ``trial, value``; the best value of the completed trials up to it.
    """

    metric: str
    points: pd.DataFrame
    best: pd.DataFrame


def collect(results: Results) -> History | None:
    """Returns the search trials that have a value; None if there are none."""
    points = frames.search_points(results, []).dropna(subset=["value"])
    if points.empty:
        return None
    done, metric = points[points["state"] == "COMPLETE"], frames.objective(results)
    so_far = done["value"].cummin() if frames.goal(metric) == "minimize" else done["value"].cummax()
    best = done[["trial"]].assign(value=so_far).reset_index(drop=True)
    return History(metric, points.reset_index(drop=True), best)


def caption(data: History) -> str:
    """Returns the caption."""
    text = f"{capital(metric_words(data.metric))} of each search trial by its number"
    if data.best.empty:
        return f"{text}; none has completed."
    last = data.best.loc[data.best["value"] == data.best["value"].iloc[-1], "trial"].iloc[0]
    after = int((data.best["trial"] > last).sum())
    value = f"{spread(data.best['value'].iloc[-1], None, data.metric)} {style.unit_of(data.metric)}"
    return (
        f"{text}; line: best value so far among completed trials. The best value, {value}, was found by trial {last}; "
        f"{number_of(after, 'later completed trial')} did not improve on it."
    )


def draw(data: History) -> Chart:
    """Draws points by state, and a step line."""
    import altair as alt

    x = alt.X("trial:Q", title="number of the trial", axis=alt.Axis(format="d", tickMinStep=1, grid=False))
    y = alt.Y(**style.metric_axis("value", data.metric))
    shown = style.percent(data.points, ["value"], data.metric).assign(state=style.state_words(data.points["state"]))
    points = alt.Chart(style.inline(shown)).mark_point(
        filled=True, size=style.mark_size(len(shown), 40), opacity=0.55, color=style.OTHER
    )
    marks = points.encode(x=x, y=y, shape=style.state_shape(shown["state"]), tooltip=_tooltip(data))
    line = alt.Chart(style.inline(style.percent(data.best, ["value"], data.metric)))
    steps = line.mark_line(interpolate="step-after", color=style.WINNER, strokeWidth=2).encode(x=x, y=y)
    return alt.layer(marks, steps).properties(width=style.WIDTH - 130, height=style.HEIGHT * 2 // 3)


def _tooltip(data: History) -> list[object]:
    import altair as alt

    return [
        alt.Tooltip("trial:Q", title="search trial"),
        alt.Tooltip("state:N", title="state"),
        alt.Tooltip("value:Q", title=style.metric_title(data.metric), format=".3~f"),
    ]
