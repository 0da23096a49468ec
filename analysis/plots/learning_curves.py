"""Plots the objective over epochs for search trials and controls, with winner and baseline in front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.drawing import style
from analysis.findings import best_config
from analysis.records import frames
from analysis.records.result_files import EXPLORING
from analysis.words.wording import capital, metric_words, number_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Learning curves"
POSITION = 30

MOST_POINTS = 6_000
MOST_TRIALS = 200
COLOURS = {"winner": style.WINNER, "baseline": style.BASELINE, "control": "#56B4E9", "search": style.OTHER}


@dataclass(frozen=True)
class LearningCurves:
    """Data of the figure.

    Attributes:
        metric: Objective.
        curves: One row per run and epoch: ``run, epoch, value, kind, state``; ``kind`` is ``winner``, ``baseline``,
            ``control`` or ``search``.
        every: Interval between the epochs that are kept; the first and the last are kept too.
        runs: Number of all runs, of which about two hundred search trials at most are drawn.
    """

    metric: str
    curves: pd.DataFrame
    every: int
    runs: int

    @property
    def log(self) -> bool:
        """Whether the vertical axis is logarithmic: for metrics to minimise, unless a value is 0."""
        return frames.goal(self.metric) == "minimize" and bool((self.curves["value"] > 0).all())


def collect(results: Results) -> LearningCurves | None:
    """Returns the epochs of search trials and controls, thinned if there are many; None if there are none."""
    metric = frames.objective(results)
    found = frames.learning_curves(results, metric)
    found = found[found["phase"].isin(EXPLORING)]
    if found.empty:
        return None
    runs = len(found.drop_duplicates(["phase", "trial"]))
    found = _some(found, best_config.winner_name(results))
    every = -(-len(found) // MOST_POINTS)
    last = found.groupby(["phase", "trial"])["epoch"].transform("max")
    found = found[(found["epoch"] % every == 0) | (found["epoch"] == 1) | (found["epoch"] == last)]
    run = found["phase"] + "/" + found["trial"].astype(str)
    winner, baseline = best_config.winner_name(results), results.study["baseline"]
    curves = found.assign(run=run, kind=[_kind(name, winner, baseline) for name in run])
    states = {f"{row.phase}/{row.trial}": row.state for row in results.trials.itertuples()}
    curves["state"] = style.state_words(run.map(states).fillna("RUNNING"))
    columns = ["run", "epoch", "value", "kind", "state"]
    return LearningCurves(metric, curves[columns].reset_index(drop=True), every, runs)


def _some(found: pd.DataFrame, winner: str | None) -> pd.DataFrame:
    """Returns all controls, the winner, and at most about ``MOST_TRIALS`` search trials, evenly spaced by number."""
    search = found["phase"] == "search"
    numbers = found.loc[search, "trial"].unique()
    kept = numbers[:: -(-len(numbers) // MOST_TRIALS)] if len(numbers) else numbers
    return found[~search | found["trial"].isin(kept) | ("search/" + found["trial"].astype(str) == winner)]


def caption(data: LearningCurves) -> str:
    """Returns the caption."""
    runs = data.curves.drop_duplicates("run")
    named = {kind: ", ".join(runs.loc[runs["kind"] == kind, "run"]) for kind in ("winner", "baseline")}
    front = "; ".join(f"{kind}: {names}" for kind, names in named.items() if names)
    thinned = f" One epoch in {data.every} is drawn." if data.every > 1 else ""
    thinned += f" {len(runs)} of {data.runs} runs are drawn." if data.runs > len(runs) else ""
    pruned = int((runs["state"] == "pruned").sum())
    early = f" Dashed: {number_of(pruned, 'pruned trial')}, stopped early." if pruned else ""
    scale = " (logarithmic scale)" if data.log else ""
    text = f"{capital(metric_words(data.metric))} after each epoch of {number_of(len(runs), 'run')}{scale}."
    return f"{text} {capital(front)}.{early}{thinned}" if front else f"{text}{early}{thinned}"


def draw(data: LearningCurves) -> Chart:
    """Draws thin lines, thick ones for winner and baseline; the line under the pointer becomes thick."""
    import altair as alt

    kinds = [kind for kind in COLOURS if kind in set(data.curves["kind"])]
    behind = data.curves["kind"].map({kind: -place for place, kind in enumerate(kinds)})
    shown = style.percent(data.curves.assign(behind=behind), ["value"], data.metric).sort_values(
        ["behind", "run", "epoch"], kind="stable"
    )
    pointed = alt.selection_point("pointed", on="pointerover", clear="pointerout", fields=["run"], empty=False)
    chart = alt.Chart(style.inline(shown.drop(columns="behind")), name="curves").mark_line().add_params(pointed)
    size = {"width": style.WIDTH - 140, "height": style.HEIGHT}
    return chart.encode(**_position(data), **_line_style(kinds, pointed), tooltip=_tooltip(data)).properties(**size)


def _kind(run: str, winner: str | None, baseline: str | None) -> str:
    if run in (winner, baseline):
        return "winner" if run == winner else "baseline"
    return "control" if run.startswith("controls/") else "search"


def _position(data: LearningCurves) -> dict[str, Any]:
    import altair as alt

    y = style.metric_axis("value", data.metric, log=data.log)
    x = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d", grid=False))
    return {"x": x, "y": alt.Y(**y), "detail": "run:N"}


def _line_style(kinds: list[str], pointed: alt.Parameter) -> dict[str, Any]:
    import altair as alt

    front = "datum.kind == 'winner' || datum.kind == 'baseline'"
    legend = alt.Legend(symbolStrokeWidth=3, symbolOpacity=1)
    scale = alt.Scale(domain=kinds, range=[COLOURS[kind] for kind in kinds])
    thick = alt.when(pointed).then(alt.value(4.0)).when(front).then(alt.value(2.4)).otherwise(alt.value(1.1))
    solid = alt.when(pointed).then(alt.value(1.0)).when(front).then(alt.value(1.0)).otherwise(alt.value(0.55))
    return {
        "color": alt.Color("kind:N", title="run", scale=scale, legend=legend),
        "strokeWidth": thick,
        "strokeOpacity": solid,  # opacity would make the PNG slow: it needs a layer per line
        "strokeDash": alt.when("datum.state == 'pruned'").then(alt.value([4, 3])),
    }


def _tooltip(data: LearningCurves) -> list[alt.Tooltip]:
    import altair as alt

    return [
        alt.Tooltip("run:N", title="run"),
        alt.Tooltip("state:N", title="state"),
        alt.Tooltip("epoch:Q", title="epoch"),
        alt.Tooltip("value:Q", title=style.metric_title(data.metric), format=".3~f"),
    ]
