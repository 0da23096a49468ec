"""Defines the style of figures: colours, axes, marks of trial states, and data that is safe to embed."""

from __future__ import annotations

import math
import string
from typing import TYPE_CHECKING, Any, Literal

from analysis.tables.table import escape
from analysis.words.wording import STATES, metric_words, scale_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import altair as alt
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from analysis.findings.subjects import Subject
    from analysis.records.parameters import Parameter

Chart = Any  # Altair creates its return types at run time

WIDTH = 620
HEIGHT = 360
FONT = "Liberation Sans, Helvetica Neue, Arial, sans-serif"
WINNER, BASELINE, OTHER, INK, PAPER = (
    "#D55E00",
    "#0072B2",
    "#9AA0A8",
    "#1F2328",
    "#FFFFFF",
)  # Okabe and Ito's colours, and greys
METHOD_COLOURS = {
    "cross_entropy": BASELINE,
    "adacos": "#009E73",
    "virtual_softmax": "#CC79A7",
    "max_entropy": "#B58900",
    "label_smoothing": "#56B4E9",
    "ddgsd": "#7B3294",
    "byot": "#8C510A",
    "mixup": "#4D4D4D",
    "kd": "#1B7837",
    "cs_kd": WINNER,
    "cs_kd_e": "#E69F00",
    "mixup_cs_kd": "#A50F15",
    "kd_cs_kd": "#DE77AE",
}
GRID, AXIS, FRAME = "#E6E8EB", "#8C959F", "#D5DADF"
# Replacements on dark pages; other colours are legible on both.
DARK = {
    INK: "#E6EDF3",
    PAPER: "#0D1117",
    GRID: "#2B3138",
    FRAME: "#484F58",
    METHOD_COLOURS["ddgsd"]: "#B57EDC",
    METHOD_COLOURS["byot"]: "#C08A3E",
    METHOD_COLOURS["mixup"]: "#D0D5DB",
    METHOD_COLOURS["mixup_cs_kd"]: "#F26D6D",
}
STUDY_COLOURS = (WINNER, BASELINE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK, OTHER)
STATE_SHAPES = {"completed": "circle", "pruned": "triangle-down", "failed": "cross", "running": "square"}

_LONGEST_LABEL = 60
_SIGNIFICANT_DIGITS = 6
_FEW_MARKS = 100


def plain(text: object) -> str:
    r"""Returns text for a label: one line, control characters escaped, at most 60 characters.

    Example:
        >>> plain("a\x00b")
        'a\\x00b'
    """
    shown = escape(str(text)[: 2 * _LONGEST_LABEL])
    return shown if len(shown) <= _LONGEST_LABEL else shown[: _LONGEST_LABEL - 1] + "…"


def method_colour(label: str) -> str:
    """Returns the colour of a method in every figure; grey for methods that are not in the paper."""
    return METHOD_COLOURS.get(label, OTHER)


def dark_rules(scope: str = "") -> str:
    """Returns CSS rules that replace colours of drawings within a selector by those of dark pages."""
    return "\n".join(
        f'{scope} [{attribute}="{colour}"] {{ {attribute}: {dark}; }}'
        for colour, dark in DARK.items()
        for attribute in ("fill", "stroke")
    )


def scheme_of_lines() -> alt.SchemeParams:
    """Returns the colour scheme of lines: viridis without its ends, which are illegible on dark or white pages."""
    import altair as alt

    return alt.SchemeParams(name="viridis", extent=[0.3, 0.8])


def subject_colours(subjects: Sequence[Subject]) -> dict[str, str]:
    """Returns the colour of each subject by its label: its method's, or another if that is taken."""
    colours: dict[str, str] = {}
    for subject in subjects:
        free = [colour for colour in (method_colour(subject.method), *STUDY_COLOURS) if colour not in colours.values()]
        colours[plain(subject.label)] = free[0] if free else OTHER
    return colours


def study_labels(names: Sequence[str]) -> list[str]:
    """Returns the names of studies for legends; letters distinguish studies of the same name.

    Example:
        >>> study_labels(["digits", "digits"]), study_labels(["a", "b"])
        (['A: digits', 'B: digits'], ['a', 'b'])
    """
    plain_names = [plain(name) for name in names]
    if len(set(plain_names)) == len(plain_names):
        return plain_names
    return [f"{letter}: {name}" for letter, name in zip(string.ascii_uppercase, plain_names, strict=False)]


def mark_size(marks: int, largest: float) -> float:
    """Returns the area of a mark, smaller for many marks.

    Example:
        >>> mark_size(50, 80), mark_size(1600, 80)
        (80, 20.0)
    """
    return largest if marks <= _FEW_MARKS else max(largest * (_FEW_MARKS / marks) ** 0.5, 8.0)


def inline(frame: pd.DataFrame) -> alt.InlineData:
    """Returns the rows of a frame as data of a chart: numbers rounded to six digits, NaN as null."""
    import altair as alt
    from altair.utils.schemapi import debug_mode

    columns = {str(name): _column(frame[name]) for name in frame}
    values = tuple(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    with debug_mode(False):  # the rows need no validation
        return alt.InlineData(values=values)  # a tuple, because Altair copies lists at every step


def percent(frame: pd.DataFrame, columns: list[str], metric: str) -> pd.DataFrame:
    """Returns the frame with some columns scaled to the unit in which a metric is shown."""
    return frame.assign(**{name: frame[name].astype(float) * scale_of(metric)[0] for name in columns})


def unit_of(metric: str) -> str:
    """Returns the unit of a metric: ``%`` for fractions, ``nats`` otherwise."""
    return "%" if scale_of(metric)[0] == 100 else "nats"


def difference_unit(metric: str) -> str:
    """Returns the unit of differences of a metric: percentage ``points`` for fractions, ``nats`` otherwise."""
    return "points" if unit_of(metric) == "%" else "nats"


def metric_title(metric: str) -> str:
    """Returns the title of an axis that shows a metric.

    Example:
        >>> metric_title("validation/top1_error")
        'validation top-1 error, %'
    """
    return f"{metric_words(metric)}, {unit_of(metric)}"


def metric_axis(field: str, metric: str, *, log: bool = False) -> dict[str, Any]:
    """Returns the arguments of a quantitative channel for a metric, whose axis need not include zero."""
    import altair as alt

    channel = {"field": field, "type": "quantitative", "title": metric_title(metric), "scale": alt.Scale(zero=False)}
    if not log:
        return channel
    ticks = [step * 10.0**power for power in range(-4, 3) for step in (1, 1.5, 2, 3, 4, 5, 7)]
    axis = alt.Axis(format="~g", values=ticks, labelOverlap=True)
    return channel | {"scale": alt.Scale(type="log", nice=False, padding=8), "axis": axis}


def parameter_axis(field: str, parameter: Parameter, padding: int = 0) -> dict[str, Any]:
    """Returns the arguments of a channel for a parameter: logarithmic if the search was, nominal if not numeric."""
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
    """Returns the shape channel of trial states; the legend lists the states that occur, if there are several."""
    import altair as alt

    present = [state for state in STATE_SHAPES if state in set(states)]
    scale = alt.Scale(domain=present, range=[STATE_SHAPES[state] for state in present])
    legend = (
        alt.Legend(symbolFillColor="transparent", symbolStrokeColor=INK, orient=orient) if len(present) > 1 else None
    )
    return alt.Shape("state:N", title="trial", scale=scale, legend=legend)


def state_words(states: pd.Series[str]) -> pd.Series[str]:
    """Returns states as text, such as ``completed`` for ``COMPLETE``."""
    return states.map(lambda state: STATES.get(state, plain(state).lower()))


def styled(chart: Chart) -> Chart:
    """Returns the chart with the style of all figures."""
    import altair as alt

    text: dict[str, Any] = {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    config = alt.Config(
        font=FONT,
        background=PAPER,
        padding=8,
        view=alt.ViewConfig(stroke=None),
        text=alt.MarkConfig(color=INK),
        axis=alt.AxisConfig(**text, gridColor=GRID, domainColor=AXIS, tickColor=AXIS, titlePadding=8),
        legend=alt.LegendConfig(**text, gradientStrokeColor=FRAME, symbolSize=80, labelLimit=320, titleLimit=320),
        title=alt.TitleConfig(fontSize=12, fontWeight="normal", color=INK, anchor="start", offset=8),
    )
    shown = chart.copy(deep=False)
    shown.config = config  # Altair's configure methods would copy the chart and its data each time
    return shown


def _column(values: pd.Series) -> list[Any]:
    """Returns values for JSON: floats rounded, non-finite ones as None, texts escaped and cut."""
    import numpy as np

    kind = values.dtype.kind if isinstance(values.dtype, np.dtype) else "O"
    if kind == "f":
        return [value if math.isfinite(value) else None for value in _rounded(values.to_numpy()).tolist()]
    if kind in "iub":
        return list(values.tolist())
    known: dict[Any, Any] = {}
    return [known.setdefault((type(value), value), _value(value)) for value in values.tolist()]


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounds each value to six significant digits."""
    import numpy as np

    with np.errstate(all="ignore"):
        power = _SIGNIFICANT_DIGITS - 1 - np.floor(np.log10(np.abs(values)))
        factor = 10.0 ** np.abs(power)
        scaled = np.where(power > 0, np.round(values * factor) / factor, np.round(values / factor) * factor)
    return np.where((values == 0) | ~np.isfinite(scaled), values, scaled)


def _value(value: Any) -> Any:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, float):
        return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
    return value if isinstance(value, int) else plain(value)
