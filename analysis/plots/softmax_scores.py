"""Plots the five largest softmax scores on test images that all methods misclassify (paper, figure 1b)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.drawing import style
from analysis.findings import subjects
from analysis.words.wording import number_of
from trainables.metrics.probabilities import log_softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Softmax scores of common mistakes"
POSITION = 54

IMAGES = 3
SCORES = 5
_LONGEST_NAME = 18


@dataclass(frozen=True)
class SoftmaxScores:
    """Data of the bars.

    Attributes:
        bars: One row per image, method and class: ``image, true_class, label, place, name, score, is_true``; ``place``
            ranks the scores from 1, the largest; scores are fractions.
        chosen_by: Method whose confidence selected the images.
        images: Number of test images that all methods misclassify.
        total: Number of test images.
        seed: Common training seed of the runs; None if there is none.
        colours: Colour of each method.
    """

    bars: pd.DataFrame
    chosen_by: str
    images: int
    total: int
    seed: int | None
    colours: dict[str, str]


def collect(results: Results) -> SoftmaxScores | None:
    """Returns the data of winner and controls; None with fewer than two methods or without common mistakes."""
    return compare([results])


def compare(studies: Sequence[Results]) -> SoftmaxScores | None:
    """Returns the data of several studies, as ``collect`` does of one."""
    import pandas as pd

    found = subjects.collect(studies)
    if found is None or len(found.all) < 2:
        return None
    runs = {style.plain(subject.label): found.read(subject) for subject in found.all}
    labels = next(iter(runs.values())).labels
    wrong = np.flatnonzero(np.all([run.logits.argmax(axis=1) != labels for run in runs.values()], axis=0))
    if not len(wrong):
        return None
    first = next(iter(runs))
    chosen = _most_confident(wrong, log_softmax(runs[first].logits[wrong]).max(axis=1), labels)
    names = found.all[0].classes(runs[first].logits.shape[1])
    parts = [
        _scores(image, label, run.logits[image], labels[image], names)
        for image in chosen
        for label, run in runs.items()
    ]
    colours = style.subject_colours(found.all)
    bars = pd.concat(parts, ignore_index=True)
    return SoftmaxScores(bars, first, len(wrong), len(labels), found.seed, colours)


def caption(data: SoftmaxScores) -> str:
    """Returns the caption."""
    shown = data.bars.drop_duplicates("image")
    named = ", ".join(f"{row.image} ({row.true_class})" for row in shown.itertuples())
    seed = f" (training seed {data.seed})" if data.seed is not None else ""
    return (
        f"The {SCORES} largest softmax scores of each method{seed} on test images that all methods misclassify "
        f"({number_of(data.images, 'image')} of {data.total}). Shown are those on which {data.chosen_by} is most "
        f"confident, at most one per class (true class in brackets): {named}. Outlined: the true class, if it is shown."
    )


def draw(data: SoftmaxScores) -> Chart:
    """Draws one row of panels per image, one column per method."""
    import altair as alt

    images = list(data.bars["image"].unique())
    rows = [
        alt.hconcat(*(_panel(data, image, label, last=image == images[-1]) for label in data.colours), spacing=12)
        for image in images
    ]
    return alt.vconcat(*rows, spacing=14)


def _most_confident(wrong: NDArray[np.int64], confidence: NDArray[np.float64], labels: NDArray[np.int64]) -> list[int]:
    """Returns the images of largest confidence, at most one per class."""
    ordered = wrong[np.argsort(-confidence, kind="stable")]
    first = {
        int(labels[image]): int(image) for image in ordered[::-1]
    }  # the most confident image of a class replaces the others
    return sorted(first.values(), key=lambda image: list(ordered).index(image))[:IMAGES]


def _scores(image: int, label: str, logits: NDArray[np.float32], true: int, names: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    scores = np.exp(log_softmax(logits[None]))[0]
    top = np.argsort(-scores, kind="stable")[:SCORES]
    return pd.DataFrame(
        {
            "image": image,
            "true_class": style.plain(names[true]),
            "label": label,
            "place": range(1, len(top) + 1),
            "name": [style.plain(names[each])[:_LONGEST_NAME] for each in top],
            "score": scores[top],
            "is_true": top == true,
        }
    )


def _panel(data: SoftmaxScores, image: int, label: str, *, last: bool) -> Chart:
    """Draws the bars of an image and a method; only the last image has an axis title."""
    import altair as alt

    shown = data.bars[(data.bars["image"] == image) & (data.bars["label"] == label)]
    shown = shown.assign(score=100 * shown["score"])
    base = alt.Chart(style.inline(shown))
    y = alt.Y(
        "name:N", sort=alt.SortField("place"), title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=110)
    )
    x = alt.X(
        "score:Q",
        title="softmax score, %" if last else None,
        scale=alt.Scale(domain=[0, 100]),
        axis=alt.Axis(tickCount=3, format="d"),
    )
    bars = base.mark_bar(color=data.colours[label], cornerRadiusEnd=1.5).encode(
        x=x,
        y=y,
        stroke=alt.condition("datum.is_true", alt.value(style.INK), alt.value(None)),
        strokeWidth=alt.condition("datum.is_true", alt.value(2), alt.value(0)),
        tooltip=["label:N", "name:N", alt.Tooltip("score:Q", title="score, %", format=".1~f"), "is_true:N"],
    )
    true = style.plain(shown["true_class"].iloc[0])[:_LONGEST_NAME]
    width = max(90, (style.WIDTH - 120 * len(data.colours)) // len(data.colours))
    return bars.properties(title=f"{label}, true: {true}", width=width, height=15 * SCORES)
