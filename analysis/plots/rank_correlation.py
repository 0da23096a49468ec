"""Plots how well the ranks of trials after an epoch predict their final ranks: when schedulers are reliable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.drawing import style
from analysis.records import frames
from analysis.words.wording import metric_words, number_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Rank correlation over epochs"
POSITION = 32

FEWEST_TRIALS = 5
_RELIABLE = 0.9


@dataclass(frozen=True)
class RankCorrelation:
    """Data of the figure.

    Attributes:
        metric: Objective.
        curve: One row per epoch: ``epoch, correlation, low, high``; Spearman's correlation with its 95 % interval.
        trials: Number of completed trials behind the correlations.
        drops: Epochs after which the learning rate dropped.
    """

    metric: str
    curve: pd.DataFrame
    trials: int
    drops: tuple[int, ...]


def collect(results: Results) -> RankCorrelation | None:
    """Returns the correlations over search trials with every epoch; None with under five trials or three epochs."""
    import pandas as pd

    metric = frames.objective(results)
    table = _table(results, metric)
    if table.shape[0] < FEWEST_TRIALS or table.shape[1] < 3:
        return None
    correlation = _spearman_with_last(table.to_numpy())
    low, high = _interval(correlation, len(table))
    epochs = table.columns.to_numpy()
    curve = pd.DataFrame({"epoch": epochs, "correlation": correlation, "low": low, "high": high})
    milestones = results.study["config"]["training"].get("milestones") or ()
    drops = tuple(int(epochs[-1] * milestone) for milestone in milestones)
    return RankCorrelation(metric, curve.dropna(subset=["correlation"]).reset_index(drop=True), len(table), drops)


def caption(data: RankCorrelation) -> str:
    """Returns the caption."""
    below = data.curve.loc[data.curve["correlation"] < _RELIABLE, "epoch"]
    settled = int(below.max()) + 1 if len(below) else int(data.curve["epoch"].iloc[0])
    last = int(data.curve["epoch"].iloc[-1])
    drops = (
        f" Dashed: drops of the learning rate (after epoch {' and '.join(map(str, data.drops))})." if data.drops else ""
    )
    return (
        f"Spearman's correlation of the {metric_words(data.metric)} after each epoch with that after the last, over "
        f"{number_of(data.trials, 'completed search trial')}, with 95 % intervals. From epoch {settled} of {last} on "
        f"it stays at {_RELIABLE:g} or above; stopping trials by rank earlier is unreliable.{drops}"
    )


def draw(data: RankCorrelation) -> Chart:
    """Draws a line with its interval, and rules where the learning rate drops."""
    import altair as alt
    import pandas as pd

    x = alt.X("epoch:Q", axis=alt.Axis(format="d", tickMinStep=1, grid=False))
    floor = min(0.0, float(data.curve["low"].min()))
    y: dict[str, Any] = {"title": "rank correlation with the last epoch", "scale": alt.Scale(domain=[floor, 1])}
    base = alt.Chart(style.inline(data.curve))
    band = base.mark_area(opacity=0.2, color=style.BASELINE).encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q")
    tooltip = ["epoch:Q", *(alt.Tooltip(f"{name}:Q", format=".2~f") for name in ("correlation", "low", "high"))]
    line = base.mark_line(color=style.BASELINE, strokeWidth=2, point=len(data.curve) < 40)
    layers = [band, line.encode(x=x, y=alt.Y("correlation:Q", **y), tooltip=tooltip)]
    if data.drops:
        rules = alt.Chart(style.inline(pd.DataFrame({"epoch": list(data.drops)})))
        layers.append(rules.mark_rule(strokeDash=[5, 4], color=style.INK, opacity=0.7).encode(x=x))
    return alt.layer(*layers).properties(width=style.WIDTH - 80, height=style.HEIGHT * 2 // 3)


def _table(results: Results, metric: str) -> pd.DataFrame:
    """Returns the values ``[trials, epochs]`` of the completed search trials that have every epoch."""
    trials = results.trials
    done = trials.loc[(trials["phase"] == "search") & (trials["state"] == "COMPLETE"), "trial"]
    curves = frames.learning_curves(results, metric)
    curves = curves[(curves["phase"] == "search") & curves["trial"].isin(done)]
    return curves.pivot_table(index="trial", columns="epoch", values="value").dropna()


def _spearman_with_last(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns Spearman's correlation of each column with the last; NaN for a constant column."""
    from scipy import stats

    ranks = stats.rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    norms = np.sqrt((ranks**2).sum(axis=0))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.clip(ranks.T @ ranks[:, -1] / (norms * norms[-1]), -1, 1))


def _interval(correlation: NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns Fisher's 95 % interval with the variance of Bonett and Wright (2000) for ranks; n > 3."""
    with np.errstate(divide="ignore"):
        z = np.arctanh(correlation)
    half = 1.96 * np.sqrt((1 + correlation**2 / 2) / (n - 3))
    return np.tanh(z - half), np.tanh(z + half)
