"""Plots contours of the estimated objective for each pair of parameters, averaged over all others."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.drawing import style
from analysis.records import frames
from analysis.statistics import space_surface
from analysis.statistics.isolines import isolines, levels
from analysis.words.wording import metric_words, number_of, scale_of, spread

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from analysis.drawing.style import Chart
    from analysis.records.parameters import Parameter
    from analysis.records.result_files import Results

TITLE = "Contours of parameter pairs"
POSITION = 12

CELLS = 20
COLUMNS = 2
MOST_PAIRS = 10


@dataclass(frozen=True)
class Contours:
    """Data of the panels.

    Attributes:
        metric: Objective.
        pairs: Parameters of the horizontal and the vertical axis of each panel.
        lines: One frame per pair: ``line, level, place, x, y``; ``place`` numbers the points of a line.
        points: One row per completed trial: each parameter by its name, and ``value``.
        levels: Values of the contour lines.
    """

    metric: str
    pairs: tuple[tuple[Parameter, Parameter], ...]
    lines: tuple[pd.DataFrame, ...]
    points: pd.DataFrame
    levels: tuple[float, ...]


def collect(results: Results) -> Contours | None:
    """Returns the lines of at most ten pairs of numeric parameters; None if no surface can be estimated."""
    found = space_surface.collect(results)
    if found is None or len(found.axes) < 2:
        return None
    chosen = list(combinations(range(len(found.axes)), 2))[:MOST_PAIRS]
    grids = [found.pair(x, y, CELLS) for x, y in chosen]
    steps = levels(*_better_three_quarters(np.concatenate([grid.ravel() for grid in grids]), frames.objective(results)))
    pairs = tuple((found.axes[x], found.axes[y]) for x, y in chosen)
    lines = tuple(_lines(grid, steps, *pair) for grid, pair in zip(grids, pairs, strict=True))
    if all(each.empty for each in lines):
        return None
    points = frames.search_points(results, [parameter.name for parameter in found.axes])
    done = points[points["state"] == "COMPLETE"].dropna().reset_index(drop=True)
    return Contours(frames.objective(results), pairs, lines, done, tuple(steps))


def caption(data: Contours) -> str:
    """Returns the caption."""
    step = data.levels[1] - data.levels[0] if len(data.levels) > 1 else 0.0
    apart = f"{spread(step, None, data.metric)} {style.difference_unit(data.metric)}"
    return (
        f"Lines of equal {metric_words(data.metric)}, {apart} apart, estimated by a Gaussian process from "
        f"{number_of(len(data.points), 'completed search trial')} and averaged over the parameters that a panel does "
        "not show; the worst quarter of the estimates has no lines. Points: trials. Where lines run parallel to an "
        "axis, the parameter on that axis does not matter."
    )


def draw(data: Contours) -> Chart:
    """Draws one panel per pair."""
    import altair as alt

    panels = [_panel(data, index) for index in range(len(data.pairs))]
    return alt.concat(*panels, columns=COLUMNS, spacing=28).resolve_scale(color="shared")


def _better_three_quarters(values: NDArray[np.float64], metric: str) -> tuple[float, float]:
    """Returns the bounds of the values without their worst quarter, so that lines are dense near the optimum."""
    minimizes = frames.goal(metric) == "minimize"
    low, high = np.quantile(values, [0, 0.75] if minimizes else [0.25, 1])
    return float(low), float(high)


def _lines(grid: Any, steps: list[float], x: Parameter, y: Parameter) -> pd.DataFrame:
    import pandas as pd

    centres = (np.arange(len(grid)) + 0.5) / len(grid)
    found = [(line, level, points) for line, (level, points) in enumerate(isolines(centres, centres, grid, steps))]
    parts = [
        pd.DataFrame(
            {
                "line": line,
                "level": level,
                "place": range(len(points)),
                "x": x.at(points[:, 0]),
                "y": y.at(points[:, 1]),
            }
        )
        for line, level, points in found
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["line", "level", "place", "x", "y"])


def _panel(data: Contours, index: int) -> Chart:
    import altair as alt

    x, y = data.pairs[index]
    horizontal, vertical = alt.X(**style.parameter_axis("x", x)), alt.Y(**style.parameter_axis("y", y))
    dots = data.points.rename(columns={x.name: "x", y.name: "y"})[["x", "y"]].astype(float)
    size = style.mark_size(len(dots), 24)
    shown = alt.Chart(style.inline(dots)).mark_point(filled=True, size=size, opacity=0.5, color=style.OTHER)
    if data.lines[index].empty:  # the average hardly varies
        return shown.encode(x=horizontal, y=vertical).properties(**_size(data))
    lines = style.percent(data.lines[index], ["level"], data.metric)
    curves = alt.Chart(style.inline(lines)).mark_line(strokeWidth=1.8)
    ends = [scale_of(data.metric)[0] * level for level in (data.levels[0], data.levels[-1])]
    scale = alt.Scale(scheme=style.scheme_of_lines(), reverse=frames.goal(data.metric) == "minimize", domain=ends)
    drawn = curves.encode(
        x=horizontal,
        y=vertical,
        detail="line:N",
        order="place:Q",
        color=alt.Color("level:Q", title=["objective,", style.unit_of(data.metric)], scale=scale),
        tooltip=[alt.Tooltip("level:Q", title=style.metric_title(data.metric), format=".3~f")],
    )
    return alt.layer(shown.encode(x=horizontal, y=vertical), drawn).properties(**_size(data))


def _size(data: Contours) -> dict[str, int]:
    side = (style.WIDTH - 190) // COLUMNS if len(data.pairs) > 1 else style.HEIGHT
    return {"width": side, "height": side}
