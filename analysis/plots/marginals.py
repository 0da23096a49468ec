"""Plots the marginal effect of each parameter: the estimated objective, averaged over all other parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.drawing import style
from analysis.records import frames
from analysis.statistics import space_surface
from analysis.words.wording import metric_words, number_of, spread

if TYPE_CHECKING:
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.parameters import Parameter
    from analysis.records.result_files import Results

TITLE = "Marginal effect of each parameter"
POSITION = 14

CELLS = 41
COLUMNS = 2


@dataclass(frozen=True)
class Marginals:
    """Data of the panels.

    Attributes:
        metric: Objective.
        parameters: Parameters, one panel each.
        curves: One frame per parameter: ``value, mean, low, high``.
        trials: Number of completed trials behind the estimate.
        noise: Standard deviation of a single trial around the surface.
    """

    metric: str
    parameters: tuple[Parameter, ...]
    curves: tuple[pd.DataFrame, ...]
    trials: int
    noise: float


def collect(results: Results) -> Marginals | None:
    """Returns a curve for each numeric parameter; None if no surface can be estimated."""
    found = space_surface.collect(results)
    if found is None:
        return None
    curves = tuple(found.marginal(axis, CELLS) for axis in range(len(found.axes)))
    return Marginals(frames.objective(results), found.axes, curves, found.trials, found.surface.noise)


def caption(data: Marginals) -> str:
    """Returns the caption."""
    sign = 1 if frames.goal(data.metric) == "minimize" else -1
    unit = style.difference_unit(data.metric)
    results = []
    for parameter, curve in zip(data.parameters, data.curves, strict=True):
        best = curve["value"].iloc[int((sign * curve["mean"]).argmin())]
        span = spread(curve["mean"].max() - curve["mean"].min(), None, data.metric)
        results.append(f"{parameter.label}: best near {best:.3g}, range {span} {unit}")
    noise = spread(data.noise, None, data.metric)
    return (
        f"Estimated {metric_words(data.metric)} against each parameter, averaged over the whole range of the others, "
        "with the 95 % interval of that average; Gaussian process fitted to "
        f"{number_of(data.trials, 'completed trial')}. Estimated standard deviation of a single trial: {noise} {unit}. "
        f"{'; '.join(results)}."
    )


def draw(data: Marginals) -> Chart:
    """Draws panels in two columns with a common vertical axis."""
    import altair as alt

    panels = [_panel(data, index) for index in range(len(data.parameters))]
    return alt.concat(*panels, columns=COLUMNS, spacing=28).resolve_scale(y="shared")


def _panel(data: Marginals, index: int) -> Chart:
    import altair as alt

    parameter, curve = data.parameters[index], data.curves[index]
    title = {} if index % COLUMNS == 0 else {"title": None}
    x = alt.X(**style.parameter_axis("value", parameter))
    low, mean = (alt.Y(**(style.metric_axis(name, data.metric) | title)) for name in ("low", "mean"))
    base = alt.Chart(style.inline(style.percent(curve, ["mean", "low", "high"], data.metric)))
    band = base.mark_area(opacity=0.2, color=style.BASELINE).encode(x=x, y=low, y2="high:Q")
    line = base.mark_line(strokeWidth=2, color=style.BASELINE).encode(x=x, y=mean, tooltip=_tooltip(parameter))
    width = (style.WIDTH - 110) // COLUMNS if len(data.parameters) > 1 else style.WIDTH - 80
    return alt.layer(band, line).properties(width=width, height=style.HEIGHT // 2)


def _tooltip(parameter: Parameter) -> list[object]:
    import altair as alt

    ends = [alt.Tooltip(f"{end}:Q", title=f"95 % interval, {end}", format=".3~f") for end in ("low", "high")]
    return [
        alt.Tooltip("value:Q", title=style.plain(parameter.label), format=".3~g"),
        alt.Tooltip("mean:Q", title="average", format=".3~f"),
        *ends,
    ]
