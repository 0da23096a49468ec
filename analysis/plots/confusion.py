"""Plots the confusion between groups of classes, and the error in each (paper, figure 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.drawing import style
from analysis.findings import subjects
from analysis.statistics.over_seeds import mean_std
from analysis.words.wording import spread
from trainables.metrics.hierarchy import hierarchy

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.findings.subjects import Subject
    from analysis.records.result_files import Results

TITLE = "Confusion between groups of classes"
POSITION = 58

CELL = 60
MOST_GROUPS = 12
_ERROR = "test/top1_error"


@dataclass(frozen=True)
class Confusion:
    """Data of the figure.

    Attributes:
        cells: One row per method, true and predicted group: ``label, true, predicted, share``; means over the runs. The
            shares of a true group add up to 1.
        errors: One row per method and group: ``label, group, mean, std, n``; top-1 error over all classes, a fraction.
        groups: Names of the groups, in the order of their classes.
        colours: Colour of each method.
    """

    cells: pd.DataFrame
    errors: pd.DataFrame
    groups: tuple[str, ...]
    colours: dict[str, str]


def collect(results: Results) -> Confusion | None:
    """Returns the data of winner and controls; None if the classes have no groups."""
    return compare([results])


def compare(studies: Sequence[Results]) -> Confusion | None:
    """Returns the data of several studies, as ``collect`` does of one."""
    import pandas as pd

    found = subjects.collect(studies)
    groups = found.all[0].groups() if found else ()
    names = tuple(dict.fromkeys(style.plain(group) for group in groups))
    if found is None or not 1 < len(names) <= MOST_GROUPS:
        return None
    parts = [_measured(subject, groups) for subject in found.all]
    cells, errors = (pd.concat(each, ignore_index=True) for each in zip(*parts, strict=True))
    return Confusion(cells, errors, names, style.subject_colours(found.all))


def caption(data: Confusion) -> str:
    """Returns the caption."""
    results = []
    for label in data.colours:
        own = data.cells[(data.cells["label"] == label) & (data.cells["true"] == data.cells["predicted"])]
        errors = data.errors[data.errors["label"] == label]
        rows = zip(own["true"], own["share"], errors["mean"], errors["std"], strict=True)
        numbers = [
            f"{group} {spread(share, None, _ERROR)} % correct, error {spread(mean, _none(std), _ERROR)} %"
            for group, share, mean, std in rows
        ]
        results.append(f"{label}: {', '.join(numbers)}")
    return (
        "Top: share of the test images of each true group (row) that are predicted in each group (column), mean over "
        "seeds. Bottom: top-1 error over all classes by true group, mean ± sample standard deviation over seeds. "
        f"{'; '.join(results)}."
    )


def draw(data: Confusion) -> Chart:
    """Draws a matrix per method, with the errors as bars below."""
    import altair as alt

    matrices = alt.concat(*(_matrix(data, label) for label in data.colours), columns=3, spacing=24)
    return alt.vconcat(matrices, _bars(data), spacing=24).resolve_scale(color="independent")


def _measured(subject: Subject, groups: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    found = [hierarchy(run.logits, run.labels, groups) for run in subject.read_all()]
    names, label = [style.plain(group) for group in found[0].groups], style.plain(subject.label)
    confusion = np.mean([each.confusion for each in found], axis=0)
    cells = [(label, a, b, confusion[i, j]) for i, a in enumerate(names) for j, b in enumerate(names)]
    errors = [(label, name, *mean_std([each.top1_error[i] for each in found])) for i, name in enumerate(names)]
    return (
        pd.DataFrame(cells, columns=["label", "true", "predicted", "share"]),
        pd.DataFrame(errors, columns=["label", "group", "mean", "std", "n"]),
    )


def _none(value: float | None) -> float | None:
    return None if value is None or value != value else value  # noqa: PLR0124


def _matrix(data: Confusion, label: str) -> Chart:
    import altair as alt

    shown = data.cells[data.cells["label"] == label].assign(share=100 * data.cells["share"])
    base = alt.Chart(style.inline(shown)).encode(
        x=alt.X("predicted:N", sort=list(data.groups), title="predicted", axis=alt.Axis(labelAngle=0, ticks=False)),
        y=alt.Y("true:N", sort=list(data.groups), title="true", axis=alt.Axis(ticks=False)),
    )
    scale = alt.Scale(scheme="blues", domain=[0, 100])
    cells = base.mark_rect(stroke=style.PAPER).encode(color=alt.Color("share:Q", scale=scale, legend=None))
    ink = alt.condition(
        "datum.share > 60", alt.value("white"), alt.value("black")
    )  # the cells are the same on dark pages
    text = base.mark_text(fontSize=12).encode(text=alt.Text("share:Q", format=".1f"), color=ink)
    side = CELL * len(data.groups)
    return alt.layer(cells, text).properties(title=f"{label}, %", width=side, height=side)


def _bars(data: Confusion) -> Chart:
    import altair as alt

    shown = style.percent(data.errors, ["mean", "std"], _ERROR)
    shown = shown.assign(low=shown["mean"] - shown["std"], high=shown["mean"] + shown["std"])
    labels = list(data.colours)
    base = alt.Chart(style.inline(shown)).encode(
        x=alt.X("group:N", sort=list(data.groups), title=None, axis=alt.Axis(labelAngle=0, ticks=False)),
        xOffset=alt.XOffset("label:N", sort=labels),
    )
    colour = alt.Color("label:N", title=None, scale=alt.Scale(domain=labels, range=list(data.colours.values())))
    numbers = [alt.Tooltip(f"{name}:Q", format=".2~f") for name in ("mean", "std")]
    bars = base.mark_bar().encode(
        y=alt.Y("mean:Q", title="top-1 error, %"), color=colour, tooltip=["label:N", "group:N", *numbers, "n:Q"]
    )
    whiskers = base.mark_rule(color=style.INK).encode(y=alt.Y("low:Q", title="top-1 error, %"), y2="high:Q")
    return alt.layer(bars, whiskers).properties(width=style.WIDTH - 160, height=style.HEIGHT // 2)
