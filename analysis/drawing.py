"""How figures look, and what they share: colours, axes, marks of a trial's state, data that is safe to embed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from analysis.tables import escape
from analysis.wording import STATES, metric_words, scale_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import altair as alt
    import pandas as pd

    from analysis.parameters import Parameter

Chart = Any  # Altair's methods build their return types at run time

WIDTH = 620
HEIGHT = 360
FONT = "Liberation Sans, Helvetica Neue, Arial, sans-serif"
WINNER, BASELINE, OTHER, INK, PAPER = "#D55E00", "#0072B2", "#9AA0A8", "#1F2328", "#FFFFFF"  # Okabe and Ito's, greys
STATE_SHAPES = {"completed": "circle", "pruned": "triangle-down", "failed": "cross", "running": "square"}

_LONGEST_LABEL = 60
_SIGNIFICANT_DIGITS = 6


def plain(text: object) -> str:
    r"""Text for a label: on one line, without control characters, cut after 60 characters.

    Example:
        >>> plain("a\x00b")
        'a\\x00b'
    """
    shown = escape(str(text)[: 2 * _LONGEST_LABEL])
    return shown if len(shown) <= _LONGEST_LABEL else shown[: _LONGEST_LABEL - 1] + "…"


def inline(frame: pd.DataFrame) -> alt.InlineData:
    """The rows of a frame inside the figure's description: numbers rounded to six digits, NaN as null."""
    import altair as alt

    rows = frame.astype(object).to_dict("records")
    values = tuple({str(name): _value(value) for name, value in row.items()} for row in rows)
    return alt.InlineData(values=values)  # a tuple: Altair copies lists, row by row, at every step of a chart


def percent(frame: pd.DataFrame, columns: list[str], metric: str) -> pd.DataFrame:
    """The frame with some columns in the unit in which a metric is shown."""
    return frame.assign(**{name: frame[name].astype(float) * scale_of(metric)[0] for name in columns})


def unit_of(metric: str) -> str:
    """``%`` for fractions, ``nats`` otherwise."""
    return "%" if scale_of(metric)[0] == 100 else "nats"


def metric_title(metric: str) -> str:
    """What an axis of a metric says.

    Example:
        >>> metric_title("validation/top1_error")
        'validation top-1 error, %'
    """
    return f"{metric_words(metric)}, {unit_of(metric)}"


def metric_axis(field: str, metric: str, *, log: bool = False) -> dict[str, Any]:
    """Arguments of a quantitative channel that shows a metric, without the zero that would flatten differences."""
    import altair as alt

    channel = {"field": field, "type": "quantitative", "title": metric_title(metric), "scale": alt.Scale(zero=False)}
    if not log:
        return channel
    ticks = [step * 10.0**power for power in range(-4, 3) for step in (1, 1.5, 2, 3, 4, 5, 7)]
    axis = alt.Axis(format="~g", values=ticks, labelOverlap=True)
    return channel | {"scale": alt.Scale(type="log", nice=False, padding=8), "axis": axis}


def parameter_axis(field: str, parameter: Parameter, padding: int = 0) -> dict[str, Any]:
    """Arguments of a channel that shows a parameter: logarithmic where the search was, bands where it is no number."""
    import altair as alt

    title = plain(parameter.label)
    if not parameter.spans:
        order = [plain(choice) for choice in parameter.choices] or None
        return {"field": field, "type": "nominal", "title": title, "sort": order, "axis": alt.Axis(labelAngle=0)}
    scale = alt.Scale(
        type="log" if parameter.log else "linear", domain=[parameter.low, parameter.high], nice=False, padding=padding
    )
    axis = alt.Axis(format="~g", labelOverlap=True, grid=False, values=parameter.ticks() or alt.Undefined)
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def state_shape(states: Iterable[str], orient: Literal["right", "top"] = "right") -> alt.Shape:
    """The mark of a trial's state; the legend lists the states that occur, and is left out for a single one."""
    import altair as alt

    present = [state for state in STATE_SHAPES if state in set(states)]
    scale = alt.Scale(domain=present, range=[STATE_SHAPES[state] for state in present])
    legend = (
        alt.Legend(symbolFillColor="transparent", symbolStrokeColor=INK, orient=orient) if len(present) > 1 else None
    )
    return alt.Shape("state:N", title="trial", scale=scale, legend=legend)


def state_words(states: pd.Series[str]) -> pd.Series[str]:
    """States as words, such as ``completed`` for ``COMPLETE``."""
    return states.map(lambda state: STATES.get(state, plain(state).lower()))


def styled(chart: Chart) -> Chart:
    """The chart in the look of all figures."""
    quiet = {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    return (
        chart.configure(font=FONT, background=PAPER, padding=8)
        .configure_view(stroke=None)
        .configure_axis(**quiet, gridColor="#E6E8EB", domainColor="#8C959F", tickColor="#8C959F", titlePadding=8)
        .configure_legend(**quiet, symbolSize=80, labelLimit=320, titleLimit=320)
        .configure_title(fontSize=12, fontWeight="normal", color=INK, anchor="start", offset=8)
    )


def _value(value: Any) -> Any:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
    return value if isinstance(value, int) else plain(value)
