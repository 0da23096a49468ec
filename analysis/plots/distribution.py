"""Plots the empirical distribution of the objective over the search trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.drawing import style
from analysis.records import frames
from analysis.words.wording import capital, metric_words, number_of, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Distribution of the objective"
POSITION = 27


@dataclass(frozen=True)
class Distribution:
    """Data of the figure.

    Attributes:
        metric: Objective.
        steps: One row per completed search trial, by study and best first: ``study, value, share``; ``share`` is that
            of the study's completed trials that are at least as good.
        baselines: One row per study with a baseline: ``study, value``.
    """

    metric: str
    steps: pd.DataFrame
    baselines: pd.DataFrame


def collect(results: Results) -> Distribution | None:
    """Returns the completed trials of a study; None with fewer than two."""
    return compare([results])


def compare(studies: Sequence[Results]) -> Distribution | None:
    """Returns the completed trials of studies with the first study's objective; None with fewer than two trials."""
    import pandas as pd

    metric = frames.objective(studies[0])
    kept = [results for results in studies if frames.objective(results) == metric]
    labels = style.study_labels([results.study["name"] for results in kept])
    steps = pd.concat([_steps(label, results) for label, results in zip(labels, kept, strict=True)], ignore_index=True)
    if len(steps) < 2:
        return None
    values = [frames.control_value(results, results.study["baseline"]) for results in kept]
    rows = [(label, value) for label, value in zip(labels, values, strict=True) if value is not None]
    return Distribution(metric, steps, pd.DataFrame(rows, columns=["study", "value"]))


def caption(data: Distribution) -> str:
    """Returns the caption."""
    medians = data.steps.groupby("study", sort=False)["value"].median()
    named = "; ".join(
        f"{f'{study}: ' if len(medians) > 1 else ''}{spread(value, None, data.metric)} {style.unit_of(data.metric)}"
        for study, value in medians.items()
    )
    dashed = " Dashed: the baseline, one run." if len(data.baselines) else ""
    return (
        f"Empirical distribution of the {metric_words(data.metric)}: share of the "
        f"{number_of(len(data.steps), 'completed search trial')} with a value at least as good. A steep curve means "
        f"that the parameters matter little. Median: {named}.{dashed}"
    )


def draw(data: Distribution) -> Chart:
    """Draws one step curve per study."""
    import altair as alt

    studies = list(dict.fromkeys(data.steps["study"]))
    colours = [style.STUDY_COLOURS[place % len(style.STUDY_COLOURS)] for place in range(len(studies))]
    legend = alt.Legend(title=None) if len(studies) > 1 else None
    colour = alt.Color("study:N", scale=alt.Scale(domain=studies, range=colours), legend=legend)
    x = alt.X(**style.metric_axis("value", data.metric))
    shown = style.percent(data.steps, ["value"], data.metric).assign(share=100 * data.steps["share"])
    y = alt.Y("share:Q", title=f"{capital('trials')} at least as good, %", scale=alt.Scale(domain=[0, 100]))
    curve = alt.Chart(style.inline(shown)).mark_line(interpolate="step-after", strokeWidth=2)
    layers = [curve.encode(x=x, y=y, color=colour, order="share:Q", tooltip=_tooltip(data))]
    if len(data.baselines):
        rules = alt.Chart(style.inline(style.percent(data.baselines, ["value"], data.metric)))
        layers.append(rules.mark_rule(strokeDash=[5, 4], strokeWidth=1.4).encode(x=x, color=colour))
    return alt.layer(*layers).properties(width=style.WIDTH - 130, height=style.HEIGHT * 2 // 3)


def _steps(label: str, results: Results) -> pd.DataFrame:
    values = frames.ranked_trials(results)[frames.objective(results)].to_numpy(float)
    import pandas as pd

    return pd.DataFrame({"study": label, "value": values, "share": np.arange(1, len(values) + 1) / max(len(values), 1)})


def _tooltip(data: Distribution) -> list[object]:
    import altair as alt

    return [
        alt.Tooltip("study:N", title="study"),
        alt.Tooltip("value:Q", title=style.metric_title(data.metric), format=".3~f"),
        alt.Tooltip("share:Q", title="trials at least as good, %", format=".1~f"),
    ]
