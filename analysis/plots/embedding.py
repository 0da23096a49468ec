"""Plots a t-SNE map of the penultimate features of each method (paper, figure 3); an illustration, not a metric."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.drawing import style
from analysis.findings import subjects
from analysis.words.wording import number_of, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Map of the features (t-SNE)"
POSITION = 56

CLASSES, IMAGES = 20, 400
PERPLEXITY, STEPS, COMPONENTS = 30, 1000, 50
SIDE = 250
_FEWEST = 3 * PERPLEXITY


@dataclass(frozen=True)
class Embedding:
    """Data of the maps.

    Attributes:
        points: One row per method and image: ``label, image, name, x, y``; ``name`` is that of the true class.
        recall: Recall@1 of each method over the whole test set, as a fraction, if it was measured.
        classes: Number of classes shown, and of all classes.
        seed: Common training seed of the runs; None if there is none.
    """

    points: pd.DataFrame
    recall: dict[str, float]
    classes: tuple[int, int]
    seed: int | None


def collect(results: Results) -> Embedding | None:
    """Returns the maps of winner and controls; None without features or with too few images."""
    return compare([results])


def compare(studies: Sequence[Results]) -> Embedding | None:
    """Returns the data of several studies, as ``collect`` does of one."""
    import pandas as pd

    found = subjects.collect(studies)
    if found is None:
        return None
    parts, recall, classes = [], {}, (0, 0)
    for subject in found.all:
        run = found.read(subject, features=True)
        chosen, shown = _subset(run.labels)
        if len(chosen) < _FEWEST or run.features.shape[1] < 2:
            return None
        names = subject.classes(run.logits.shape[1])
        label, place = style.plain(subject.label), _map(run.features[chosen])
        if (value := found.measured(subject, "test/recall_at_1")) is not None:
            recall[label] = value
        classes = (shown, len(np.unique(run.labels)))
        columns = {"image": chosen, "name": [style.plain(names[each]) for each in run.labels[chosen]]}
        parts.append(pd.DataFrame({"label": label, **columns, "x": place[:, 0], "y": place[:, 1]}))
    return Embedding(pd.concat(parts, ignore_index=True), recall, classes, found.seed)


def caption(data: Embedding) -> str:
    """Returns the caption."""
    recalls = ", ".join(f"{label} {spread(value, None, 'test/recall_at_1')} %" for label, value in data.recall.items())
    images = data.points["image"].nunique()
    seed = f" (training seed {data.seed})" if data.seed is not None else ""
    shown = f"{data.classes[0]} of {data.classes[1]} classes, drawn at random"
    return (
        f"t-SNE of the penultimate features{seed} of {number_of(images, 'test image')} of {shown}: {COMPONENTS} "
        f"principal components, perplexity {PERPLEXITY}, {STEPS} steps from the first two, fixed seed. Sizes of "
        "clusters and distances between them mean little, and another seed gives another "
        f"map.{f' Recall@1 of the features over the whole test set: {recalls}.' if recalls else ''}"
    )


def draw(data: Embedding) -> Chart:
    """Draws one map per method, with the same class colours."""
    import altair as alt

    panels = [_panel(data, label) for label in data.points["label"].unique()]
    return alt.concat(*panels, columns=2, spacing=20).resolve_scale(color="shared")


def _subset(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Returns images of random classes, the same for every method of a test set, and the number of these classes."""
    random = np.random.default_rng(0)
    present = np.unique(labels)
    classes = np.sort(random.permutation(present)[:CLASSES])
    found = np.flatnonzero(np.isin(labels, classes))
    return np.sort(random.permutation(found)[:IMAGES]), len(classes)


def _map(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns t-SNE coordinates ``[n, 2]``."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    kept = min(COMPONENTS, *features.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # features without variance
        reduced = PCA(kept, random_state=0).fit_transform(features.astype(np.float64))
        mapping = TSNE(perplexity=PERPLEXITY, init="pca", learning_rate="auto", max_iter=STEPS, random_state=0)
        return np.asarray(mapping.fit_transform(reduced), dtype=np.float64)


def _panel(data: Embedding, label: str) -> Chart:
    import altair as alt

    shown = data.points[data.points["label"] == label]
    hidden: dict[str, Any] = {"axis": None, "scale": alt.Scale(zero=False, nice=False, padding=8)}
    points = alt.Chart(style.inline(shown)).mark_point(filled=True, size=style.mark_size(len(shown), 50), opacity=0.8)
    return points.encode(
        x=alt.X("x:Q", **hidden),
        y=alt.Y("y:Q", **hidden),
        color=alt.Color(
            "name:N", scale=alt.Scale(scheme="tableau10" if data.classes[0] <= 10 else "tableau20"), legend=None
        ),
        tooltip=[alt.Tooltip("name:N", title="class"), alt.Tooltip("image:Q", title="test image")],
    ).properties(title=label, width=SIDE, height=SIDE)
