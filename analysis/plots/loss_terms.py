"""Plots the terms of the training loss over epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.drawing import style
from analysis.findings import best_config
from analysis.records.result_files import EXPLORING
from analysis.words.wording import number_of
from trainables.metrics.metric_name import MetricName

if TYPE_CHECKING:
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.result_files import Results

TITLE = "Terms of the training loss"
POSITION = 34

MOST_POINTS = 4000
COLUMNS = 2
_NO_TERM = ("top1_error", "top5_error")  # recorded in training, but not terms of the loss
_COLOURS = {"winner": style.WINNER, "baseline": style.BASELINE, "all search trials": style.OTHER}


@dataclass(frozen=True)
class LossTermCurves:
    """Data of the figure.

    Attributes:
        terms: Names of the terms, without the split.
        curves: One row per run, term and epoch: ``kind, run, term, epoch, value, low, high``. ``kind`` is ``winner``,
            ``baseline``, or ``all search trials`` with the median and the quartiles.
        trials: Number of search trials behind the quartiles.
    """

    terms: tuple[str, ...]
    curves: pd.DataFrame
    trials: int


def collect(results: Results) -> LossTermCurves | None:
    """Returns every ``train/<term>`` of the epochs; None if none was recorded."""
    import pandas as pd

    epochs = results.epochs[results.epochs["phase"].isin(EXPLORING)]
    names = [str(name) for name in epochs if epochs[name].notna().any()]
    columns = [name for name in names if name.startswith("train/") and MetricName.parse(name).quantity not in _NO_TERM]
    if not columns:
        return None
    run = epochs["phase"] + "/" + epochs["trial"].astype(str)
    chosen = {"winner": best_config.winner_name(results), "baseline": results.study["baseline"]}
    parts = [_run(epochs[run == name], kind, str(name), columns) for kind, name in chosen.items() if name]
    search = epochs[epochs["phase"] == "search"]
    curves: pd.DataFrame = pd.concat([_quartiles(search, columns), *parts], ignore_index=True)
    terms = tuple(MetricName.parse(name).quantity for name in columns)
    return LossTermCurves(terms, _thinned(curves), int(search["trial"].nunique()))


def caption(data: LossTermCurves) -> str:
    """Returns the caption."""
    runs = data.curves[data.curves["run"] != ""].drop_duplicates("run")
    named = "; ".join(f"{row.kind}: {row.run}" for row in runs.itertuples())
    return (
        f"Mean of each recorded loss term over the training images of an epoch ({', '.join(data.terms)}). Grey: "
        f"median and quartiles of {number_of(data.trials, 'search trial')}{f'; {named}' if named else ''}."
    )


def draw(data: LossTermCurves) -> Chart:
    """Draws one panel per term."""
    import altair as alt

    kinds = [kind for kind in _COLOURS if kind in set(data.curves["kind"])]
    scale = alt.Scale(domain=kinds, range=[_COLOURS[kind] for kind in kinds])
    colour = alt.Color("kind:N", title=None, scale=scale, legend=alt.Legend(orient="top", symbolOpacity=1))
    panels = [_panel(data, index, term, colour) for index, term in enumerate(data.terms)]
    return alt.concat(*panels, columns=COLUMNS, spacing=24).resolve_scale(color="shared")


def _panel(data: LossTermCurves, index: int, term: str, colour: object) -> Chart:
    import altair as alt

    shown = data.curves[data.curves["term"] == term]
    x = alt.X("epoch:Q", axis=alt.Axis(format="d", tickMinStep=1, grid=False))
    y: dict[str, Any] = {"title": "loss, nats" if index % COLUMNS == 0 else None}
    base = alt.Chart(style.inline(shown))
    band = base.transform_filter("isValid(datum.low)").mark_area(opacity=0.25)
    line = base.mark_line(strokeWidth=1.8)
    tooltip = ["kind:N", "run:N", "epoch:Q", alt.Tooltip("value:Q", title=style.plain(term), format=".3~f")]
    layers = [
        band.encode(x=x, y=alt.Y("low:Q", **y), y2="high:Q", color=colour),
        line.encode(x=x, y=alt.Y("value:Q", **y), color=colour, tooltip=tooltip),
    ]
    size = {"width": (style.WIDTH - 110) // COLUMNS, "height": style.HEIGHT // 2}
    return alt.layer(*layers).properties(title=style.plain(term), **size)


def _run(epochs: pd.DataFrame, kind: str, name: str, columns: list[str]) -> pd.DataFrame:
    long = epochs[["epoch", *columns]].melt("epoch", var_name="term").dropna(subset=["value"])
    return long.assign(kind=kind, run=style.plain(name), term=_terms(long["term"]))


def _quartiles(search: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    shares = {"low": 0.25, "value": 0.5, "high": 0.75}
    by_epoch = search.groupby("epoch")[columns]
    long = {name: by_epoch.quantile(share).stack() for name, share in shares.items()}
    found = pd.DataFrame(long).rename_axis(["epoch", "term"]).reset_index()
    return found.assign(kind="all search trials", run="", term=_terms(found["term"]))


def _terms(names: pd.Series[str]) -> pd.Series[str]:
    return names.str.removeprefix("train/")


def _thinned(curves: pd.DataFrame) -> pd.DataFrame:
    every = -(-len(curves) // MOST_POINTS)
    last = curves["epoch"] == curves["epoch"].max()
    kept: pd.DataFrame = curves[(curves["epoch"] % every == 0) | (curves["epoch"] == 1) | last]
    return kept[["kind", "run", "term", "epoch", "value", "low", "high"]].reset_index(drop=True)
