"""Reliability diagrams of winner and baseline on the test set (paper, figure 5): confidence against accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis import best_config, drawing
from analysis.records import ResultsError
from analysis.statistics import mean_std
from analysis.wording import spread
from trainables.metrics import BINS, calibration_bins, expected_calibration_error, log_softmax

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from analysis.drawing import Chart
    from analysis.records import Predictions, Results
    from analysis.statistics import MeanStd

TITLE = "Reliability"
POSITION = 50

SIDE = 210


@dataclass(frozen=True)
class Reliability:
    """Numbers of the diagrams.

    Attributes:
        bins: One row an arm and bin that holds predictions: ``arm, low, high, count, accuracy, confidence``, over the
            predictions of all its runs together; fractions.
        errors: For each arm the expected calibration error of its single runs.
        missing: Confirmation runs whose predictions cannot be read.
    """

    bins: pd.DataFrame
    errors: dict[str, MeanStd]
    missing: tuple[str, ...]


def collect(results: Results) -> Reliability | None:
    """Calibration of winner and baseline from their predictions; None where there are none."""
    import pandas as pd

    arms = dict.fromkeys(arm for arm in (best_config.winner_name(results), results.study["baseline"]) if arm)
    found, missing = {arm: _predictions(results, arm) for arm in arms}, []
    for runs in found.values():
        missing += [f"confirm/{trial}" for trial, predictions in runs.items() if predictions is None]
    kept = {arm: [run for run in runs.values() if run is not None] for arm, runs in found.items()}
    kept = {drawing.plain(arm): runs for arm, runs in kept.items() if runs}
    if not kept:
        return None
    bins = pd.concat([_bins(arm, runs) for arm, runs in kept.items()], ignore_index=True)
    errors = {
        arm: mean_std([expected_calibration_error(r.logits, r.labels) for r in runs]) for arm, runs in kept.items()
    }
    return Reliability(bins, errors, tuple(missing))


def caption(data: Reliability) -> str:
    """What the diagrams show, in words with the calibration errors."""
    errors = "; ".join(f"{arm} {spread(e.mean, e.std, 'test/ece')} % (n={e.n})" for arm, e in data.errors.items())
    missing = f" Predictions that cannot be read: {', '.join(data.missing)}." if data.missing else ""
    return (
        f"Test accuracy over confidence in {BINS} bins of equal width, predictions of all seeds together; below, how "
        "many there are. A calibrated model's bars end on the diagonal. Expected calibration error, mean ± std over "
        f"seeds: {errors}.{missing}"
    )


def draw(data: Reliability) -> Chart:
    """A diagram an arm, side by side, with its counts below."""
    import altair as alt

    shown = data.bins.assign(
        **{name: 100 * data.bins[name] for name in ("low", "high", "accuracy", "confidence")},
        share=100 * data.bins["count"] / data.bins.groupby("arm")["count"].transform("sum"),
    )
    colours = dict(zip(data.errors, (drawing.WINNER, drawing.BASELINE), strict=False))
    above, below = zip(*(_panel(shown, arm, colour) for arm, colour in colours.items()), strict=True)
    return alt.concat(*above, *below, columns=len(colours), spacing={"row": 8, "column": 36})


def _predictions(results: Results, arm: str) -> dict[int, Predictions | None]:
    runs = results.confirmations
    done = runs[(runs["arm"] == arm) & (runs["state"] == "COMPLETE")]
    return {int(trial): _predictions_of(results, int(trial)) for trial in done["trial"]}


def _predictions_of(results: Results, trial: int) -> Predictions | None:
    try:
        return results.predictions_of(trial)
    except ResultsError:
        return None


def _bins(arm: str, runs: list[Predictions]) -> pd.DataFrame:
    import pandas as pd

    probabilities = np.exp(np.concatenate([log_softmax(run.logits) for run in runs]))
    bins = calibration_bins(probabilities, np.concatenate([run.labels for run in runs]))
    edges = np.arange(BINS + 1) / BINS
    columns = {"low": edges[:-1], "high": edges[1:], "count": bins.count}
    frame = pd.DataFrame({"arm": arm, **columns, "accuracy": bins.accuracy, "confidence": bins.confidence})
    return frame[frame["count"] > 0]


def _panel(shown: pd.DataFrame, arm: str, colour: str) -> tuple[Chart, Chart]:
    import altair as alt

    data = drawing.inline(shown[shown["arm"] == arm])
    x = alt.X("low:Q", title=None, scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(labels=False, grid=False))
    y = alt.Y("accuracy:Q", title="accuracy, %", scale=alt.Scale(domain=[0, 100]))
    bars = alt.Chart(data).mark_rect(color=colour, fillOpacity=0.75, stroke=drawing.PAPER, strokeWidth=0.5)
    bars = bars.encode(x=x, x2="high:Q", y=y, y2=alt.datum(0), tooltip=_tooltip())
    line = alt.InlineData(values=[{"low": 0, "accuracy": 0}, {"low": 100, "accuracy": 100}])
    diagonal = alt.Chart(line).mark_line(color=drawing.INK, strokeDash=[4, 3], strokeWidth=1).encode(x=x, y=y)
    diagram = alt.layer(bars, diagonal).properties(title=arm, width=SIDE, height=SIDE)
    return diagram, _counts(data, colour)


def _counts(data: alt.InlineData, colour: str) -> Chart:
    import altair as alt

    x = alt.X("low:Q", title="confidence, %", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(grid=False))
    y = alt.Y("share:Q", title="share, %", axis=alt.Axis(tickCount=3))
    bars = alt.Chart(data).mark_rect(color=colour, fillOpacity=0.75, stroke=drawing.PAPER, strokeWidth=0.5)
    counted = bars.encode(x=x, x2="high:Q", y=y, y2=alt.datum(0), tooltip=_tooltip())
    return counted.properties(width=SIDE, height=SIDE // 3)


def _tooltip() -> list[alt.Tooltip]:
    import altair as alt

    return [
        alt.Tooltip("low:Q", title="confidence above, %"),
        alt.Tooltip("high:Q", title="up to, %"),
        alt.Tooltip("accuracy:Q", title="accuracy, %", format=".2~f"),
        alt.Tooltip("confidence:Q", title="mean confidence, %", format=".2~f"),
        alt.Tooltip("count:Q", title="predictions"),
    ]
