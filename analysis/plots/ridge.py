"""Plots the objective against λ_cls · min(T, 4), in which T and λ_cls can compensate for each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.drawing import style
from analysis.records import frames, parameters
from analysis.words.wording import capital, metric_words, number_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Ridge of T and λ_cls"
POSITION = 16

SATURATION = 4.0
FEWEST_TRIALS = 8
_AXES = {"ridge": "λ_cls · min(T, 4)", "lambda_cls": "λ_cls", "temperature": "T"}


@dataclass(frozen=True)
class Ridge:
    """Data of the figure.

    Attributes:
        metric: Objective.
        points: One row per completed search trial: ``trial, temperature, lambda_cls, ridge, value``.
        explained: Share of the values' variance, in [0, 1], that a parabola in the logarithm of ``ridge``,
            ``lambda_cls`` or ``temperature`` explains.
    """

    metric: str
    points: pd.DataFrame
    explained: Mapping[str, float]


def collect(results: Results) -> Ridge | None:
    """Returns the completed trials; None unless both parameters were searched and eight trials completed."""
    spans = {parameter.name for parameter in parameters.searched(results) if parameter.spans and parameter.low > 0}
    names = ["temperature", "lambda_cls"]
    if not spans.issuperset(names):
        return None
    points = frames.search_points(results, names)
    done = points[points["state"] == "COMPLETE"].dropna().reset_index(drop=True)
    if len(done) < FEWEST_TRIALS:
        return None
    done = done.astype({"temperature": float, "lambda_cls": float})
    done["ridge"] = done["lambda_cls"] * done["temperature"].clip(upper=SATURATION)
    explained = {name: _explained(np.log(done[name].to_numpy()), done["value"].to_numpy(float)) for name in _AXES}
    return Ridge(frames.objective(results), done.drop(columns="state"), explained)


def caption(data: Ridge) -> str:
    """Returns the caption."""
    shares = ", ".join(f"{_AXES[name]} {100 * share:.0f} %" for name, share in data.explained.items())
    return (
        f"{capital(metric_words(data.metric))} of {number_of(len(data.points), 'completed search trial')} against "
        "λ_cls · min(T, 4), to which the regulariser's gradient is approximately proportional: above T = 4 it hardly "
        f"depends on T. Share of the variance that a parabola in the logarithm explains: {shares}."
    )


def draw(data: Ridge) -> Chart:
    """Draws one panel, coloured by temperature."""
    import altair as alt

    shown = style.percent(data.points, ["value"], data.metric)
    log = alt.Scale(type="log", nice=False, padding=10)
    colour = alt.Scale(type="log", scheme=style.scheme_of_lines())
    axis = alt.Axis(format="~g", grid=False, labelOverlap=True)
    points = alt.Chart(style.inline(shown)).mark_point(
        filled=True, size=style.mark_size(len(shown), 70), opacity=0.85, stroke=style.PAPER, strokeWidth=0.5
    )
    return points.encode(
        x=alt.X("ridge:Q", title=_AXES["ridge"], scale=log, axis=axis),
        y=alt.Y(**style.metric_axis("value", data.metric)),
        color=alt.Color("temperature:Q", title="T", scale=colour, legend=alt.Legend(format="~g")),
        tooltip=[
            alt.Tooltip("trial:Q", title="search trial"),
            *(alt.Tooltip(f"{name}:Q", title=title, format=".3~g") for name, title in _AXES.items()),
            alt.Tooltip("value:Q", title=style.metric_title(data.metric), format=".3~f"),
        ],
    ).properties(width=style.WIDTH - 130, height=style.HEIGHT * 2 // 3)


def _explained(x: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Returns the coefficient of determination of a parabola; 0 if the values are constant."""
    total = float(((values - values.mean()) ** 2).sum())
    design = np.vander(x - x.mean(), 3)
    residual = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return max(0.0, 1 - float((residual**2).sum()) / total) if total else 0.0
