"""Plots log-probabilities of the predicted and the true class on images that all methods misclassify (figure 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.drawing import style
from analysis.findings import subjects
from analysis.words.wording import minus, number_of
from trainables.metrics.probabilities import log_softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Log-probabilities of common mistakes"
POSITION = 52

FEWEST_BINS, MOST_BINS = 8, 40
IMAGES_PER_BIN = 5
QUANTITIES = {"predicted": "log-probability of the predicted class", "true": "log-probability of the true class"}
_LOWEST_SHARE = 0.005


@dataclass(frozen=True)
class LogProbabilities:
    """Data of the histograms.

    Attributes:
        bins: One row per method, quantity and bin: ``label, quantity, low, high, count, share``; all methods have the
            same bins, and the lowest bin includes all lower values.
        medians: Median of each method and quantity, in nats.
        images: Number of test images that all methods misclassify.
        total: Number of test images.
        seed: Common training seed of the runs; None if there is none.
        colours: Colour of each method.
    """

    bins: pd.DataFrame
    medians: dict[tuple[str, str], float]
    images: int
    total: int
    seed: int | None
    colours: dict[str, str]


def collect(results: Results) -> LogProbabilities | None:
    """Returns the data of winner and controls; None with fewer than two methods or without common mistakes."""
    return compare([results])


def compare(studies: Sequence[Results]) -> LogProbabilities | None:
    """Returns the data of several studies, as ``collect`` does of one."""
    found = subjects.collect(studies)
    if found is None or len(found.all) < 2:
        return None
    runs = {style.plain(subject.label): found.read(subject) for subject in found.all}
    labels = next(iter(runs.values())).labels
    wrong = np.all([run.logits.argmax(axis=1) != labels for run in runs.values()], axis=0)
    if not wrong.any():
        return None
    log_p = {label: log_softmax(run.logits[wrong]) for label, run in runs.items()}
    values = {
        "predicted": {label: each.max(axis=1) for label, each in log_p.items()},
        "true": {label: np.take_along_axis(each, labels[wrong, None], axis=1)[:, 0] for label, each in log_p.items()},
    }
    medians = {(label, name): float(np.median(x)) for name, by in values.items() for label, x in by.items()}
    bins = _bins(values)
    return LogProbabilities(bins, medians, int(wrong.sum()), len(labels), found.seed, style.subject_colours(found.all))


def caption(data: LogProbabilities) -> str:
    """Returns the caption."""
    medians = [
        f"{QUANTITIES[name]}: "
        + ", ".join(
            f"{label} {minus(f'{data.medians[label, name]:.2f}')}"
            for label in data.colours
            if (label, name) in data.medians
        )
        for name in QUANTITIES
    ]
    seed = f" (training seed {data.seed})" if data.seed is not None else ""
    return (
        f"Natural log-probabilities, at temperature 1, on the {number_of(data.images, 'test image')} (of {data.total}) "
        f"that all methods{seed} misclassify. Medians in nats, {'; '.join(medians)}. Values further below zero mean "
        "less overconfident mistakes on the left; values closer to zero mean more probability of the true class on "
        "the right."
    )


def draw(data: LogProbabilities) -> Chart:
    """Draws outlines of the histograms, one panel per quantity."""
    import altair as alt

    scale = alt.Scale(domain=list(data.colours), range=list(data.colours.values()))
    colour = alt.Color("label:N", title=None, scale=scale, legend=alt.Legend(orient="top", symbolType="stroke"))
    panels = [_panel(data, name, title, colour) for name, title in QUANTITIES.items()]
    return alt.hconcat(*panels, spacing=28).resolve_scale(color="shared")


def _bins(values: dict[str, dict[str, NDArray[np.float64]]]) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for name, by_label in values.items():
        together = np.concatenate(list(by_label.values()))
        images = len(next(iter(by_label.values())))
        bins = int(np.clip(images // IMAGES_PER_BIN, FEWEST_BINS, MOST_BINS))
        edges = np.linspace(np.floor(np.quantile(together, _LOWEST_SHARE)), 0.0, bins + 1)
        for label, x in by_label.items():
            count = np.histogram(np.clip(x, edges[0], None), edges)[0]
            columns = {"low": edges[:-1], "high": edges[1:], "count": count, "share": count / len(x)}
            parts.append(pd.DataFrame({"label": label, "quantity": name, **columns}))
    return pd.concat(parts, ignore_index=True)


def _panel(data: LogProbabilities, name: str, title: str, colour: object) -> Chart:
    import altair as alt
    import pandas as pd

    bins = data.bins[data.bins["quantity"] == name].assign(share=100 * data.bins["share"])
    ends = bins.groupby("label", sort=False).tail(1)
    shown = pd.concat([bins, ends.assign(low=ends["high"])])  # so that the outline spans the last bin
    outline = alt.Chart(style.inline(shown)).mark_line(interpolate="step-after", strokeWidth=1.8)
    return outline.encode(
        x=alt.X("low:Q", title=f"{title}, nats", axis=alt.Axis(grid=False), scale=alt.Scale(nice=False)),
        y=alt.Y("share:Q", title="share of the images, %" if name == "predicted" else None),
        color=colour,
        tooltip=[
            "label:N",
            alt.Tooltip("low:Q", title="from", format=".2~f"),
            alt.Tooltip("high:Q", title="to", format=".2~f"),
            alt.Tooltip("share:Q", title="share, %", format=".1~f"),
            alt.Tooltip("count:Q", title="images"),
        ],
    ).properties(width=(style.WIDTH - 110) // 2, height=style.HEIGHT * 2 // 3)
