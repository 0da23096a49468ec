"""Plots the confirmed arms on the test set: seeds, means with intervals, and comparable values of the paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.drawing import style
from analysis.findings import best_config
from analysis.records import frames
from analysis.records.result_files import ResultsError
from analysis.words.wording import capital, metric_words, scale_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.findings.best_config import Arm
    from analysis.records.result_files import Results

TITLE = "Confirmed arms"
POSITION = 40

ROW_HEIGHT = 44


@dataclass(frozen=True)
class Arms:
    """Data of the figure; rows are in the order of the best-config table.

    Attributes:
        metric: Objective on the test set.
        seeds: One row per confirmation run: ``arm, seed, value``.
        means: One row per arm: ``arm, role, method, mean, low, high, n``; the interval is NaN for a single seed.
        paper: One row per arm with a comparable value in the paper: ``arm, value``.
    """

    metric: str
    seeds: pd.DataFrame
    means: pd.DataFrame
    paper: pd.DataFrame


def collect(results: Results) -> Arms | None:
    """Returns the arms with a test value; None before the confirmation."""
    import pandas as pd

    try:
        best = best_config.collect(results)
    except ResultsError:
        return None
    arms = [arm for arm in best.arms if arm.test]
    values = frames.values_by_seed(results, best.metric)
    seeds = [(_label(arm), seed, value) for arm in arms for seed, value in values[arm.name].items()]
    paper = [(_label(arm), arm.published.mean) for arm in arms if arm.published and not arm.not_comparable]
    return (
        Arms(
            best.metric,
            pd.DataFrame(seeds, columns=["arm", "seed", "value"]),
            pd.DataFrame([_mean(arm) for arm in arms]),
            pd.DataFrame(paper, columns=["arm", "value"]),
        )
        if arms
        else None
    )


def caption(data: Arms) -> str:
    """Returns the caption."""
    counts = " or ".join(map(str, sorted(set(data.means["n"]))))
    text = (
        f"{capital(metric_words(data.metric))} of the confirmed arms. Circles: single runs with fresh seeds "
        f"(n={counts}); diamonds: means; bars: Student's 95 % intervals of the means. Arms share their seeds, so the "
        "paired differences in the table are more precise than a comparison of these intervals."
    )
    return text + (" Crosses: the paper's values." if len(data.paper) else "")


def draw(data: Arms) -> Chart:
    """Draws one row per arm."""
    import altair as alt

    y = alt.Y(
        "arm:N", title=None, sort=list(data.means["arm"]), axis=alt.Axis(labelLimit=260, ticks=False, domain=False)
    )
    layers = [_intervals(data, y), _seeds(data, y), _means(data, y), *([_paper(data, y)] if len(data.paper) else [])]
    height = ROW_HEIGHT * max(2, len(data.means))
    return alt.layer(*layers).properties(width=style.WIDTH - 220, height=height)


def _label(arm: Arm) -> str:
    return style.plain(f"{arm.name} ({arm.method})")


def _mean(arm: Arm) -> dict[str, object]:
    assert arm.test is not None  # noqa: S101 - only arms with a test value are drawn
    low, high = arm.interval or (float("nan"), float("nan"))
    named = {"arm": _label(arm), "role": arm.role, "method": arm.method}
    return {**named, "mean": arm.test.mean, "low": low, "high": high, "n": arm.test.n}


def _axis(field: str, data: Arms) -> alt.X:
    """Returns the axis of the metric over all marks, cut at possible values, which intervals of few seeds exceed."""
    import altair as alt

    scale = scale_of(data.metric)[0]
    marks = [*data.seeds["value"], *data.means["low"].dropna(), *data.means["high"].dropna(), *data.paper["value"]]
    ends = [scale * max(min(marks), 0), scale * (min(max(marks), 1) if scale == 100 else max(marks))]
    return alt.X(**(style.metric_axis(field, data.metric) | {"scale": alt.Scale(domain=ends, zero=False, nice=True)}))


def _colour(data: Arms) -> alt.Color:
    """Returns the colour channel: each arm has its method's colour, as in all figures."""
    import altair as alt

    methods = list(dict.fromkeys(data.means["method"]))
    colours = [style.method_colour(method) for method in methods]
    return alt.Color("method:N", scale=alt.Scale(domain=methods, range=colours), legend=None)


def _intervals(data: Arms, y: alt.Y) -> Chart:
    import altair as alt

    shown = style.percent(data.means.dropna(subset=["low"]), ["low", "high"], data.metric)
    return (
        alt.Chart(style.inline(shown))
        .mark_rule(strokeWidth=2, clip=True)
        .encode(x=_axis("low", data), x2="high:Q", y=y, color=_colour(data))
    )


def _seeds(data: Arms, y: alt.Y) -> Chart:
    import altair as alt

    return (
        alt.Chart(style.inline(style.percent(data.seeds, ["value"], data.metric)))
        .mark_point(size=36, color=style.INK, opacity=0.7, strokeWidth=1.2, yOffset=12)
        .encode(
            x=_axis("value", data),
            y=y,
            tooltip=["arm:N", alt.Tooltip("seed:Q"), alt.Tooltip("value:Q", format=".3~f")],
        )
    )


def _means(data: Arms, y: alt.Y) -> Chart:
    import altair as alt

    shown = style.percent(data.means, ["mean", "low", "high"], data.metric)
    ends = [alt.Tooltip(f"{end}:Q", title=f"95 % interval, {end}", format=".3~f") for end in ("low", "high")]
    return (
        alt.Chart(style.inline(shown))
        .mark_point(shape="diamond", size=150, filled=True, opacity=1)
        .encode(
            x=_axis("mean", data),
            y=y,
            color=_colour(data),
            tooltip=["arm:N", "role:N", alt.Tooltip("mean:Q", format=".3~f"), *ends, alt.Tooltip("n:Q")],
        )
    )


def _paper(data: Arms, y: alt.Y) -> Chart:
    import altair as alt

    return (
        alt.Chart(style.inline(style.percent(data.paper, ["value"], data.metric)))
        .mark_point(shape="cross", angle=45, size=110, filled=True, color=style.INK, opacity=1)
        .encode(
            x=_axis("value", data),
            y=y,
            tooltip=["arm:N", alt.Tooltip("value:Q", title="paper", format=".3~f")],
        )
    )
