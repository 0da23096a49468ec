"""Plots a reliability diagram of each method on the test set (paper, figure 5): accuracy against confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.drawing import style
from analysis.findings import subjects
from analysis.statistics.over_seeds import mean_std
from analysis.words.wording import spread
from trainables.metrics.ece import BINS, calibration_bins, calibration_error
from trainables.metrics.probabilities import log_softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.findings.subjects import Subject
    from analysis.records.result_files import Results
    from analysis.statistics.over_seeds import MeanStd
    from trainables.metrics.ece import CalibrationBins

TITLE = "Reliability"
POSITION = 50

SIDE = 210
COLUMNS = 2


@dataclass(frozen=True)
class Reliability:
    """Data of the diagrams.

    Attributes:
        bins: One row per method and non-empty bin: ``label, low, high, count, accuracy, confidence``, over the pooled
            predictions of all its runs; fractions.
        errors: Expected calibration error of each method: mean and sample standard deviation over its runs.
        colours: Colour of each method.
        arms: Study and arm of each method.
        missing: Confirmation runs whose predictions cannot be read.
    """

    bins: pd.DataFrame
    errors: dict[str, MeanStd]
    colours: dict[str, str]
    arms: dict[str, str]
    missing: tuple[str, ...]


def collect(results: Results) -> Reliability | None:
    """Returns the calibration of winner and controls from their predictions; None if there are none."""
    return compare([results])


def compare(studies: Sequence[Results]) -> Reliability | None:
    """Returns the data of several studies, as ``collect`` does of one."""
    import pandas as pd

    found = subjects.collect(studies)
    if found is None:
        return None
    parts = {style.plain(subject.label): _measured(subject) for subject in found.all}
    return Reliability(
        pd.concat([bins.assign(label=label) for label, (bins, _) in parts.items()], ignore_index=True),
        {label: error for label, (_, error) in parts.items()},
        style.subject_colours(found.all),
        {style.plain(subject.label): style.plain(subject.arm) for subject in found.all},
        found.missing,
    )


def caption(data: Reliability) -> str:
    """Returns the caption."""
    errors = "; ".join(
        f"{label} ({data.arms[label]}) {spread(error.mean, error.std, 'test/ece')} % (n={error.n})"
        for label, error in data.errors.items()
    )
    missing = f" Predictions that cannot be read: {', '.join(data.missing)}." if data.missing else ""
    return (
        f"Test accuracy against confidence in {BINS} bins of equal width, over the pooled predictions of all seeds; "
        "below: share of the predictions in each bin. The bars of a calibrated model end on the diagonal. Expected "
        f"calibration error, mean ± sample standard deviation over seeds: {errors}.{missing}"
    )


def draw(data: Reliability) -> Chart:
    """Draws one diagram per method, with the shares of the bins below."""
    import altair as alt

    shown = data.bins.assign(
        **{name: 100 * data.bins[name] for name in ("low", "high", "accuracy", "confidence")},
        share=100 * data.bins["count"] / data.bins.groupby("label")["count"].transform("sum"),
    )
    panels = [alt.vconcat(*_panel(shown, label, data.colours[label]), spacing=8) for label in data.errors]
    return alt.concat(*panels, columns=COLUMNS, spacing={"row": 24, "column": 36})


def _measured(subject: Subject) -> tuple[pd.DataFrame, MeanStd]:
    """Returns the pooled bins of all runs, and the mean of their errors; one run is in memory at a time."""
    runs = [calibration_bins(np.exp(log_softmax(run.logits)), run.labels) for run in subject.read_all()]
    return _pooled(runs), mean_std([calibration_error(bins) for bins in runs])


def _pooled(runs: list[CalibrationBins]) -> pd.DataFrame:
    import pandas as pd

    counts = np.array([bins.count for bins in runs])
    total = counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        means = {
            name: np.nansum(counts * [getattr(bins, name) for bins in runs], axis=0) / total
            for name in ("accuracy", "confidence")
        }
    edges = np.arange(BINS + 1) / BINS
    frame = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": total, **means})
    return frame[frame["count"] > 0]


def _panel(shown: pd.DataFrame, label: str, colour: str) -> tuple[Chart, Chart]:
    import altair as alt

    data = style.inline(shown[shown["label"] == label])
    x = alt.X("low:Q", title=None, scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(labels=False, grid=False))
    y = alt.Y("accuracy:Q", title="accuracy, %", scale=alt.Scale(domain=[0, 100]))
    bars = alt.Chart(data).mark_rect(color=colour, fillOpacity=0.75, stroke=style.PAPER, strokeWidth=0.5)
    bars = bars.encode(x=x, x2="high:Q", y=y, y2=alt.datum(0), tooltip=_tooltip())
    line = alt.InlineData(values=[{"low": 0, "accuracy": 0}, {"low": 100, "accuracy": 100}])
    diagonal = alt.Chart(line).mark_line(color=style.INK, strokeDash=[4, 3], strokeWidth=1).encode(x=x, y=y)
    diagram = alt.layer(bars, diagonal).properties(title=label, width=SIDE, height=SIDE)
    return diagram, _counts(data, colour)


def _counts(data: alt.InlineData, colour: str) -> Chart:
    import altair as alt

    x = alt.X("low:Q", title="confidence, %", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(grid=False))
    y = alt.Y("share:Q", title="share, %", axis=alt.Axis(tickCount=3))
    bars = alt.Chart(data).mark_rect(color=colour, fillOpacity=0.75, stroke=style.PAPER, strokeWidth=0.5)
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
