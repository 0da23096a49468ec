import json
import math

import pandas as pd
import pytest

from analysis import drawing


def test_labels_are_one_harmless_line_of_bounded_length() -> None:
    assert drawing.plain("a\nb\x1b") == "a\\nb\\x1b"
    assert len(drawing.plain("\x00" * 10_000)) == 60


def test_rows_are_json_that_every_reader_takes() -> None:
    frame = pd.DataFrame(
        {"a": [1, 2], "b": [1 / 3, math.nan], "c": ["x", None], "d": [True, False], "e": [1.0, math.inf]}
    )
    rows = drawing.inline(frame).to_dict()["values"]
    assert json.loads(json.dumps(rows, allow_nan=False)) == [
        {"a": 1, "b": 0.333333, "c": "x", "d": True, "e": 1.0},
        {"a": 2, "b": None, "c": None, "d": False, "e": None},
    ]


def test_fractions_are_shown_in_percent_and_nats_as_they_are() -> None:
    frame = pd.DataFrame({"value": [0.25]})
    assert drawing.percent(frame, ["value"], "test/ece")["value"].item() == 25
    assert drawing.percent(frame, ["value"], "test/nll")["value"].item() == 0.25
    assert drawing.metric_title("test/nll") == "test NLL, nats"


@pytest.mark.parametrize(("states", "shown"), [(["completed"], False), (["running", "completed"], True)])
def test_the_legend_lists_states_that_occur(states: list[str], shown: bool) -> None:
    channel = drawing.state_shape(states).to_dict()
    assert (channel["legend"] is not None) == shown
    assert set(channel["scale"]["domain"]) == set(states)
