"""Plots the Pareto front of two objectives, or of the objective and another metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.drawing import style
from analysis.findings import best_config
from analysis.records import frames
from analysis.statistics.pareto import front, relative_hypervolume
from analysis.words.wording import capital, metric_words, number_of
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Trade-off between two metrics"
POSITION = 28

FEWEST_TRIALS = 3
_SECOND = ("validation/nll", "validation/ece", "validation/top1_error")


@dataclass(frozen=True)
class Tradeoff:
    """Data of the figure.

    Attributes:
        metrics: Metrics of the horizontal and the vertical axis.
        searched: Whether the search optimised both; otherwise the second was only measured.
        covered: Hypervolume of the front, as a share of the box between the best and the worst values.
        points: One row per completed search trial: ``trial, first, second, front, winner``.
    """

    metrics: tuple[str, str]
    searched: bool
    covered: float
    points: pd.DataFrame


def collect(results: Results) -> Tradeoff | None:
    """Returns two objectives, or the objective and another metric; None with fewer than three trials that have both."""
    import pandas as pd

    objectives = list(results.study["objectives"])
    first, trials = objectives[0], results.trials
    others = [name for name in (*objectives[1:], *_SECOND) if name != first and name in trials]
    if not others or first not in trials:
        return None
    metrics = (first, others[0])
    done = trials[(trials["phase"] == "search") & (trials["state"] == "COMPLETE")].dropna(subset=list(metrics))
    if len(done) < FEWEST_TRIALS:
        return None
    signs = np.array([1.0 if frames.goal(name) == "minimize" else -1.0 for name in metrics])
    values = done[list(metrics)].to_numpy(float)
    points = pd.DataFrame({"trial": done["trial"], "first": values[:, 0], "second": values[:, 1]})
    points["front"] = front(values * signs)
    points["winner"] = [best_config.winner_name(results) == str(RunKey("search", trial)) for trial in points["trial"]]
    points = points.sort_values("first", kind="stable").reset_index(drop=True)
    return Tradeoff(metrics, len(objectives) > 1, relative_hypervolume(values * signs), points)


def caption(data: Tradeoff) -> str:
    """Returns the caption."""
    on = data.points[data.points["front"]]
    names = ", ".join(str(trial) for trial in on["trial"][:10]) + (", …" if len(on) > 10 else "")
    both = "both objectives" if data.searched else "the second measured only, not an objective"
    trials = f"trials {names}" if len(on) > 1 else f"trial {names}"
    return (
        f"{capital(metric_words(data.metrics[0]))} and {metric_words(data.metrics[1])} of "
        f"{number_of(len(data.points), 'completed search trial')} ({both}). Line: Pareto front, which no other trial "
        f"dominates ({trials}); star: the winner. The front covers {100 * data.covered:.0f} % of the area between the "
        "best and the worst values (hypervolume)."
    )


def draw(data: Tradeoff) -> Chart:
    """Draws all trials, and the front as a step line."""
    import altair as alt

    shown = style.percent(data.points, ["first"], data.metrics[0])
    shown = style.percent(shown, ["second"], data.metrics[1])
    x = alt.X(**style.metric_axis("first", data.metrics[0]))
    y = alt.Y(**style.metric_axis("second", data.metrics[1]))
    base = alt.Chart(style.inline(shown))
    tooltip = [
        alt.Tooltip("trial:Q", title="search trial"),
        *(
            alt.Tooltip(f"{name}:Q", title=style.metric_title(metric), format=".3~f")
            for name, metric in zip(("first", "second"), data.metrics, strict=True)
        ),
    ]
    on = base.transform_filter("datum.front")
    line = on.mark_line(interpolate="step-after", color=style.WINNER, strokeWidth=1.6).encode(x=x, y=y)
    colour = alt.condition("datum.front", alt.value(style.WINNER), alt.value(style.OTHER))
    size = style.mark_size(len(shown), 45)
    dots = base.mark_point(filled=True, opacity=0.8, size=size).encode(x=x, y=y, color=colour, tooltip=tooltip)
    star = base.transform_filter("datum.winner").mark_text(
        text="★", fontSize=24, fill=style.WINNER, stroke=style.PAPER, strokeWidth=1
    )
    layers = alt.layer(line, dots, star.encode(x=x, y=y))
    return layers.properties(width=style.WIDTH - 80, height=style.HEIGHT * 2 // 3)
