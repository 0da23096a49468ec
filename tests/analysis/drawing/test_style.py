import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.drawing import style
from analysis.drawing.style import inline
from analysis.words.naming import METHODS
from tests.kit.fakes.contrast import ratio


def test_labels_are_one_escaped_line_of_bounded_length() -> None:
    assert style.plain("a\nb\x1b") == "a\\nb\\x1b"
    assert len(style.plain("\x00" * 10_000)) == 60


def test_rows_are_strict_json() -> None:
    frame = pd.DataFrame(
        {"a": [1, 2], "b": [1 / 3, math.nan], "c": ["x", None], "d": [True, False], "e": [1.0, math.inf]}
    )
    rows = style.inline(frame).to_dict()["values"]
    assert json.loads(json.dumps(rows, allow_nan=False)) == [
        {"a": 1, "b": 0.333333, "c": "x", "d": True, "e": 1.0},
        {"a": 2, "b": None, "c": None, "d": False, "e": None},
    ]


def test_fractions_are_shown_in_percent_and_nats_as_they_are() -> None:
    frame = pd.DataFrame({"value": [0.25]})
    assert style.percent(frame, ["value"], "test/ece")["value"].item() == 25
    assert style.percent(frame, ["value"], "test/nll")["value"].item() == 0.25
    assert style.metric_title("test/nll") == "test NLL, nats"


@pytest.mark.parametrize(("states", "shown"), [(["completed"], False), (["running", "completed"], True)])
def test_the_legend_lists_states_that_occur(states: list[str], shown: bool) -> None:
    channel = style.state_shape(states).to_dict()
    assert (channel["legend"] is not None) == shown
    assert set(channel["scale"]["domain"]) == set(states)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.floats(width=64), st.floats(0.001, 100)), min_size=1, max_size=20))
def test_floats_keep_six_digits_and_only_finite_ones(values: list[float]) -> None:
    found = [row["x"] for row in inline(pd.DataFrame({"x": np.array(values)})).to_dict()["values"]]
    for value, shown in zip(values, found, strict=True):
        if not math.isfinite(value):
            assert shown is None
        else:
            assert shown == pytest.approx(float(f"{value:.6g}"), rel=1.1e-6, abs=1e-300)


def test_equal_values_of_other_types_stay_apart() -> None:
    frame = pd.DataFrame({"x": pd.Series([1, True, 1.0, "1", None], dtype=object)})
    found = [row["x"] for row in inline(frame).to_dict()["values"]]
    assert [(type(value), value) for value in found] == [
        (int, 1),
        (bool, True),
        (float, 1.0),
        (str, "1"),
        (type(None), None),
    ]


def test_studies_of_one_name_get_letters() -> None:
    assert style.study_labels(["a", "b", "a"]) == ["A: a", "B: b", "C: a"]
    assert style.study_labels(["a", "b"]) == ["a", "b"]


def test_methods_have_distinct_colours() -> None:
    colours = [style.method_colour(label) for label in METHODS]
    assert len(set(colours)) == len(colours)
    assert style.method_colour("mine") == style.OTHER


def _channels(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


@pytest.mark.parametrize("label", [*METHODS, "mine"])
def test_methods_are_visible_on_white_and_dark_pages(label: str) -> None:
    colour = style.method_colour(label)
    assert ratio(_channels(colour), _channels(style.PAPER)) > 2  # Okabe and Ito's orange and sky blue are light
    dark = style.DARK.get(colour, colour)
    assert ratio(_channels(dark), _channels(style.DARK[style.PAPER])) > 3


def test_text_is_legible_on_white_and_dark_pages() -> None:
    assert ratio(_channels(style.INK), _channels(style.PAPER)) > 7
    assert ratio(_channels(style.DARK[style.INK]), _channels(style.DARK[style.PAPER])) > 7


def test_rules_of_dark_pages_name_every_colour_once_for_areas_and_once_for_lines() -> None:
    rules = style.dark_rules(".here").splitlines()
    assert rules[0] == f'.here [fill="{style.INK}"] {{ fill: {style.DARK[style.INK]}; }}'
    assert len(set(rules)) == 2 * len(style.DARK)
