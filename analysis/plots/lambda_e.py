"""Plots error, calibration and likelihood on validation data against λ_E, the weight of CS-KD-E's consistency term."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.drawing import style
from analysis.records.result_files import EXPLORING
from analysis.words.wording import metric_words, number_of
from search_spaces.symbols import symbol

if TYPE_CHECKING:
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Weight of the consistency term"
POSITION = 18

METRICS = ("validation/top1_error", "validation/ece", "validation/nll")
_NAME = "lambda_e"
_COLUMN = f"params/{_NAME}"
_LABEL = symbol(_NAME).text


@dataclass(frozen=True)
class Sweep:
    """Data of the panels.

    Attributes:
        metrics: Metrics, one panel each.
        points: One row per completed trial or control: ``run, lambda_e, kind`` and a column for each metric; ``kind``
            is ``search`` or ``control``.
    """

    metrics: tuple[str, ...]
    points: pd.DataFrame


def collect(results: Results) -> Sweep | None:
    """Returns completed trials and controls that have a λ_E; None unless at least two values of it occur."""
    trials = results.trials[results.trials["phase"].isin(EXPLORING)]
    if _COLUMN not in trials:
        return None
    done = trials[(trials["state"] == "COMPLETE") & trials[_COLUMN].notna()]
    metrics = tuple(name for name in METRICS if name in done and done[name].notna().any())
    if done[_COLUMN].nunique() < 2 or not metrics:
        return None
    points = done[list(metrics)].assign(
        run=done["phase"] + "/" + done["trial"].astype(str),
        lambda_e=done[_COLUMN].astype(float),
        kind=done["phase"].map({"search": "search", "controls": "control"}),
    )
    return Sweep(metrics, points.sort_values("lambda_e", kind="stable").reset_index(drop=True))


def caption(data: Sweep) -> str:
    """Returns the caption."""
    best = []
    for metric in data.metrics:
        row = data.points.dropna(subset=[metric]).sort_values(metric, kind="stable").iloc[0]
        best.append(f"{metric_words(metric)} lowest at {_LABEL} = {row['lambda_e']:.3g} ({row['run']})")
    controls = int((data.points["kind"] == "control").sum())
    beside = f" and {number_of(controls, 'control')}" if controls else ""
    return (
        f"Values after the last epoch of {number_of(len(data.points) - controls, 'completed search trial')}{beside} "
        f"against {_LABEL}; 0 is CS-KD without the term. Other parameters vary too: a trend, not evidence of an "
        f"effect. {'; '.join(best)}."
    )


def draw(data: Sweep) -> Chart:
    """Draws one panel per metric, on a symmetric logarithmic axis, which includes 0."""
    import altair as alt

    panels = [_panel(data, metric) for metric in data.metrics]
    return alt.hconcat(*panels, spacing=26)


def _panel(data: Sweep, metric: str) -> Chart:
    import altair as alt

    positive = data.points.loc[data.points["lambda_e"] > 0, "lambda_e"]
    scale = alt.Scale(type="symlog", constant=float(positive.min()), nice=False, padding=8)
    ticks = [tick for tick in (0, 0.1, 0.5, 2, 8, 32) if tick <= data.points["lambda_e"].max()]
    shown = data.points[["run", "lambda_e", "kind"]].assign(value=data.points[metric].astype(float))
    shown = style.percent(shown.dropna(subset=["value"]), ["value"], metric)
    colour = alt.Scale(domain=["search", "control"], range=[style.method_colour("cs_kd_e"), style.BASELINE])
    legend = alt.Legend(orient="top", title=None)
    points = alt.Chart(style.inline(shown)).mark_point(filled=True, opacity=0.85, size=style.mark_size(len(shown), 50))
    return points.encode(
        x=alt.X("lambda_e:Q", title=_LABEL, scale=scale, axis=alt.Axis(values=ticks, format="~g", grid=False)),
        y=alt.Y(**style.metric_axis("value", metric)),
        color=alt.Color("kind:N", scale=colour, legend=legend),
        tooltip=[
            "run:N",
            alt.Tooltip("lambda_e:Q", title=_LABEL, format=".3~g"),
            alt.Tooltip("value:Q", format=".3~f"),
        ],
    ).properties(width=(style.WIDTH - 60) // 3 - 50, height=style.HEIGHT // 2)
