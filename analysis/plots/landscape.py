"""Plots a map of two searched parameters: estimated objective, trials by state, and the winner."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from analysis.drawing import style
from analysis.findings import best_config
from analysis.records import frames, parameters
from analysis.statistics.over_seeds import pooled_std
from analysis.statistics.surface import estimate
from analysis.words.wording import metric_words, scale_of, spread
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.parameters import Parameter
    from analysis.records.result_files import Results

TITLE = "Map of the search"
POSITION = 10

PREFERRED = ("temperature", "lambda_cls")
CELLS = 28
_MOST_RIMS = 300  # with more marks, rims would cover their neighbours
FEWEST_TRIALS = 8
_COLOURED = 0.95  # share of the values that the colour scale spans; the worst ones share a colour


@dataclass(frozen=True)
class Landscape:
    """Data of the map.

    Attributes:
        metric: Objective.
        x: Parameter of the horizontal axis.
        y: Parameter of the vertical axis.
        points: One row per search trial: ``trial, state, x, y, value, winner``.
        surface: One row per cell: its bounds ``x, x2, y, y2``, and ``mean, std`` of the estimate at its centre; None
            with fewer than eight completed trials.
        noise: Standard deviation of a trial around the estimate; None without a surface.
        others: Labels of the searched parameters that the map does not show.
        seed_spread: Pooled standard deviation of the confirmed arms' test values over fresh seeds; None if no arm has
            two.
    """

    metric: str
    x: Parameter
    y: Parameter
    points: pd.DataFrame
    surface: pd.DataFrame | None
    noise: float | None
    others: tuple[str, ...]
    seed_spread: float | None = None


def collect(results: Results) -> Landscape | None:
    """Returns the trials by temperature and lambda_cls, or by the first two numeric parameters; None without two."""
    searched = parameters.searched(results)
    axes = sorted((p for p in searched if p.spans), key=lambda p: _preference(p.name))
    points = frames.search_points(results, [p.name for p in axes[:2]])
    if len(axes) < 2 or points.empty:
        return None
    x, y = axes[:2]
    points = points.rename(columns={x.name: "x", y.name: "y"}).astype({"x": float, "y": float})
    points["winner"] = [best_config.winner_name(results) == str(RunKey("search", trial)) for trial in points["trial"]]
    surface, noise = _surface(points, x, y)
    others = tuple(p.label for p in searched if p not in (x, y))
    return Landscape(frames.objective(results), x, y, points, surface, noise, others, _seed_spread(results))


def caption(data: Landscape) -> str:
    """Returns the caption."""
    states = style.state_words(data.points["state"]).value_counts()
    counted = ", ".join(f"{states[state]} {state}" for state in style.STATE_SHAPES if state in states)
    star = " Star: the winner." if data.points["winner"].any() else ""
    points = f"Search trials by {data.x.label} and {data.y.label} ({counted}).{star}"
    if data.surface is None:
        return f"{points} Fewer than {FEWEST_TRIALS} completed trials: no surface is estimated."
    noise = f"{spread(data.noise, None, data.metric)} {style.difference_unit(data.metric)}"
    others = f" Other parameters varied too and count as noise: {', '.join(data.others)}." if data.others else ""
    return (
        f"{points} Colour: {metric_words(data.metric)}, estimated from the completed trials by a Gaussian process; "
        "points show their own values, and the worst 5 % share a colour. Estimated standard deviation of a single "
        f"trial around the surface: {noise}.{others}{_seed_noise(data)}"
    )


def _seed_noise(data: Landscape) -> str:
    if data.seed_spread is None:
        return ""
    value = f"{spread(data.seed_spread, None, data.metric)} {style.difference_unit(data.metric)}"
    return f" Pooled standard deviation of the confirmed arms over fresh seeds, on the test set: {value}."


def draw(data: Landscape) -> Chart:
    """Draws the surface, the trials above it, and a star at the winner."""
    import altair as alt

    layers = [_points(data), _winner(data)]
    if data.surface is not None:
        layers.insert(0, _cells(data, data.surface))
    return alt.layer(*layers).properties(width=style.WIDTH - 130, height=style.HEIGHT)


def _seed_spread(results: Results) -> float | None:
    metric = frames.objective(results).replace("validation/", "test/", 1)
    return pooled_std([list(values.values()) for values in frames.values_by_seed(results, metric).values()])


def _preference(name: str) -> int:
    return PREFERRED.index(name) if name in PREFERRED else len(PREFERRED)


def _surface(points: pd.DataFrame, x: Parameter, y: Parameter) -> tuple[pd.DataFrame | None, float | None]:
    import pandas as pd

    done = points[points["state"] == "COMPLETE"].dropna(subset=["x", "y", "value"])
    if len(done) < FEWEST_TRIALS:
        return None, None
    edges = np.linspace(0, 1, CELLS + 1)
    corners = np.array(list(product(range(CELLS), range(CELLS))))
    places = np.column_stack([x.unit(done["x"].to_numpy()), y.unit(done["y"].to_numpy())])
    found = estimate(places, done["value"].to_numpy(float), (corners + 0.5) / CELLS)
    ends = np.minimum(corners + 2, CELLS)  # cells overlap, so that no hairlines show between them
    bounds = {"x": x.at(edges[corners[:, 0]]), "x2": x.at(edges[ends[:, 0]])}
    bounds |= {"y": y.at(edges[corners[:, 1]]), "y2": y.at(edges[ends[:, 1]])}
    return pd.DataFrame({**bounds, "mean": found.mean, "std": found.std}), found.noise


def _colour(field: str, data: Landscape) -> dict[str, Any]:
    import altair as alt

    shown = style.metric_axis(field, data.metric)
    reverse = frames.goal(data.metric) == "minimize"
    scale = alt.Scale(scheme="viridis", reverse=reverse, domain=_range(data), clamp=True)
    return shown | {
        "scale": scale,
        "legend": alt.Legend(title=["objective,", style.unit_of(data.metric)], type="gradient"),
    }


def _range(data: Landscape) -> list[float]:
    """Returns the ends of the colour scale, which surface and points share."""
    done = data.points.loc[data.points["state"] == "COMPLETE", "value"].dropna().tolist()
    values = done + ([] if data.surface is None else data.surface["mean"].tolist())
    scale, shares = scale_of(data.metric)[0], np.array([0.0, _COLOURED])
    ends = shares if frames.goal(data.metric) == "minimize" else 1 - shares[::-1]
    return [float(scale * end) for end in np.quantile(values or [0.0, 1.0], ends)]


def _axis(field: Literal["x", "y"], data: Landscape) -> dict[str, Any]:
    """Returns the arguments of an axis; without a surface, it is padded."""
    parameter = data.x if field == "x" else data.y
    return style.parameter_axis(field, parameter, padding=12 if data.surface is None else 0)


def _cells(data: Landscape, surface: pd.DataFrame) -> Chart:
    import altair as alt

    shown = style.percent(surface, ["mean", "std"], data.metric)
    return (
        alt.Chart(style.inline(shown))
        .mark_rect(aria=False)
        .encode(
            x=alt.X(**_axis("x", data)),
            x2="x2:Q",
            y=alt.Y(**_axis("y", data)),
            y2="y2:Q",
            fill=alt.Fill(**_colour("mean", data)),
            tooltip=[
                alt.Tooltip("mean:Q", title=f"estimate, {style.unit_of(data.metric)}", format=".3~f"),
                alt.Tooltip("std:Q", title="its standard deviation", format=".2~f"),
            ],
        )
    )


def _points(data: Landscape) -> Chart:
    """Draws one mark per trial, filled if completed, with a white rim that stands out from the surface."""
    import altair as alt

    shown = style.percent(data.points, ["value"], data.metric).assign(state=style.state_words(data.points["state"]))
    base = alt.Chart(style.inline(shown)).encode(
        x=alt.X(**_axis("x", data)),
        y=alt.Y(**_axis("y", data)),
        shape=style.state_shape(shown["state"]),
        tooltip=_tooltip(data),
    )
    size = style.mark_size(len(shown), 80)
    rims = [base.mark_point(size=size, stroke=style.PAPER, strokeWidth=4, opacity=1, aria=False)]
    rims = rims if len(shown) <= _MOST_RIMS else []
    mark = base.mark_point(size=size, stroke=style.INK, strokeWidth=1.4, fill=style.PAPER, opacity=1)
    if "completed" not in set(shown["state"]):
        return alt.layer(*rims, mark)
    done = base.properties(data=style.inline(shown[shown["state"] == "completed"]))
    coloured = done.mark_point(size=size, stroke=style.INK, strokeWidth=1.4, opacity=1)
    return alt.layer(*rims, mark, coloured.encode(fill=alt.Fill(**_colour("value", data))))


def _winner(data: Landscape) -> Chart:
    import altair as alt

    return (
        alt.Chart(style.inline(data.points[data.points["winner"]]))
        .mark_text(text="★", fontSize=26, fill=style.WINNER, stroke=style.PAPER, strokeWidth=1, aria=False)
        .encode(
            x=alt.X(**_axis("x", data)),
            y=alt.Y(**_axis("y", data)),
        )
    )


def _tooltip(data: Landscape) -> list[alt.Tooltip]:
    import altair as alt

    return [
        alt.Tooltip("trial:Q", title="search trial"),
        alt.Tooltip("state:N", title="state"),
        alt.Tooltip("x:Q", title=style.plain(data.x.label), format=".4~g"),
        alt.Tooltip("y:Q", title=style.plain(data.y.label), format=".4~g"),
        alt.Tooltip("value:Q", title=style.metric_title(data.metric), format=".3~f"),
    ]
