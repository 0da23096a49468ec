"""Plots the objective against each searched parameter, with the baseline's value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.drawing import style
from analysis.findings import best_config
from analysis.records import frames, parameters
from analysis.words.wording import capital, metric_words, number_of, spread
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from analysis.drawing.style import Chart
    from analysis.records.parameters import Parameter
    from analysis.records.result_files import Results

TITLE = "Objective against each parameter"
POSITION = 20

COLUMNS = 2


@dataclass(frozen=True)
class Slices:
    """Data of the panels.

    Attributes:
        metric: Objective.
        parameters: Parameters, one panel each.
        points: One row per search trial with a value: ``trial, state, value, winner``, and each parameter by its name.
        baseline: Validation value of the baseline's control run; None without one.
        without_value: Number of search trials that cannot be shown, because they have no value.
    """

    metric: str
    parameters: tuple[Parameter, ...]
    points: pd.DataFrame
    baseline: float | None
    without_value: int

    @property
    def log(self) -> bool:
        """Whether the vertical axis is logarithmic: for metrics to minimise whose values span a factor of four."""
        values = self.points["value"].tolist() + ([] if self.baseline is None else [self.baseline])
        return frames.goal(self.metric) == "minimize" and max(values) >= 4 * min(values) > 0


def collect(results: Results) -> Slices | None:
    """Returns the trials that have a value; None if there are none or nothing was searched."""
    searched = parameters.searched(results)
    found = frames.search_points(results, [p.name for p in searched])
    points = found.dropna(subset=["value"]).reset_index(drop=True)
    if points.empty or not searched:
        return None
    points["winner"] = [best_config.winner_name(results) == str(RunKey("search", trial)) for trial in points["trial"]]
    metric, missing = frames.objective(results), len(found) - len(points)
    return Slices(metric, searched, points, frames.control_value(results, results.study["baseline"]), missing)


def caption(data: Slices) -> str:
    """Returns the caption."""
    names = ", ".join(p.label for p in data.parameters)
    scale = " (logarithmic scale)" if data.log else ""
    metric = f"{capital(metric_words(data.metric))}{scale}"
    text = f"{metric} after the last epoch of each search trial against {names}; orange: the winner."
    if data.baseline is not None:
        value = f"{spread(data.baseline, None, data.metric)} {style.unit_of(data.metric)}"
        text += f" Dashed: the baseline at {value}, one run."
    return text + (
        f" Not shown: {number_of(data.without_value, 'trial')} without a value." if data.without_value else ""
    )


def draw(data: Slices) -> Chart:
    """Draws panels in two columns with a common vertical axis; the trial under the pointer grows in all of them."""
    import altair as alt

    event: dict[str, Any] = {"on": "pointerover", "clear": "pointerout", "fields": ["trial"], "empty": False}
    pointed = [alt.selection_point(f"pointed_{index}", **event) for index in range(len(data.parameters))]
    panels = [_panel(data, index, parameter, pointed) for index, parameter in enumerate(data.parameters)]
    return alt.concat(*panels, columns=COLUMNS, spacing=28).resolve_scale(y="shared")


def _panel(data: Slices, index: int, parameter: Parameter, pointed: list[alt.Parameter]) -> Chart:
    import altair as alt

    title = {} if index % COLUMNS == 0 else {"title": None}
    y = alt.Y(**(style.metric_axis("value", data.metric, log=data.log) | title))
    points = _points(data, parameter, y, pointed).properties(name=f"slice_{index}").add_params(pointed[index])
    layers = [*([] if data.baseline is None else [_baseline(data, y)]), points]
    width = (style.WIDTH - 110) // COLUMNS if len(data.parameters) > 1 else style.WIDTH - 80
    return alt.layer(*layers).properties(width=width, height=style.HEIGHT * 2 // 3)


def _points(data: Slices, parameter: Parameter, y: alt.Y, pointed: list[alt.Parameter]) -> Chart:
    import altair as alt

    shown = style.percent(data.points, ["value"], data.metric).assign(
        state=style.state_words(data.points["state"]), parameter=_axis_values(data.points[parameter.name], parameter)
    )
    columns = ["trial", "state", "parameter", "value", "winner"]
    winner = alt.condition("datum.winner", alt.value(style.WINNER), alt.value(style.BASELINE))
    return (
        alt.Chart(style.inline(shown[columns].sort_values("winner")))
        .mark_point(filled=True, opacity=0.8)
        .encode(
            x=alt.X(**style.parameter_axis("parameter", parameter, padding=10)),
            y=y,
            shape=style.state_shape(shown["state"], orient="top"),
            color=winner,
            size=alt.condition(_any_of(pointed), alt.value(200), alt.value(style.mark_size(len(shown), 55))),
            tooltip=_tooltip(data, parameter),
        )
    )


def _any_of(pointed: list[alt.Parameter]) -> Any:
    import altair as alt

    predicate: Any = alt.LogicalOrPredicate
    return predicate(**{"or": [{"param": parameter.name, "empty": False} for parameter in pointed]})


def _axis_values(values: pd.Series, parameter: Parameter) -> pd.Series:
    return values.astype(float) if parameter.spans else values.map(style.plain)


def _baseline(data: Slices, y: alt.Y) -> Chart:
    import altair as alt
    import pandas as pd

    shown = style.percent(pd.DataFrame({"value": [data.baseline]}), ["value"], data.metric)
    return alt.Chart(style.inline(shown)).mark_rule(strokeDash=[5, 4], color=style.INK, opacity=0.7).encode(y=y)


def _tooltip(data: Slices, parameter: Parameter) -> list[alt.Tooltip]:
    import altair as alt

    kind: dict[str, Any] = {"type": "quantitative", "format": ".4~g"} if parameter.spans else {"type": "nominal"}
    return [
        alt.Tooltip("trial:Q", title="search trial"),
        alt.Tooltip("state:N", title="state"),
        alt.Tooltip(field="parameter", title=style.plain(parameter.label), **kind),
        alt.Tooltip("value:Q", title=style.metric_title(data.metric), format=".3~f"),
    ]
