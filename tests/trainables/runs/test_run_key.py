from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.runs.run_key import PhaseName, RunKey

PHASES = get_args(PhaseName)


@pytest.mark.parametrize("phase", PHASES)
def test_a_key_is_parsed_and_printed(phase):
    key = RunKey.parse(f"{phase}/12")
    assert key == (phase, 12)
    assert str(key) == f"{key}" == f"{phase}/12"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "search",
        "search/",
        "/7",
        "7",
        "search/x",
        "search/-1",
        "search/+1",
        "search/1.0",
        "search/1_0",
        "search/ 1",
        "search/1\n",
        "search/1/2",
        "search\\1",
        " search/1",
        "Search/1",
        "pilot/1",
        "search/\u0661",  # a digit, but not an ASCII one
        "search/\u00b2",
    ],
)
def test_any_other_text_is_refused(text):
    with pytest.raises(
        ValueError, match=r"is not the name of a run; give a phase and a number, such as search/7$"
    ) as caught:
        RunKey.parse(text)
    assert str(caught.value).startswith(repr(text))


@given(st.sampled_from(PHASES), st.integers(min_value=0))
def test_a_printed_key_is_parsed_to_the_same_key(phase, number):
    key = RunKey(phase, number)
    assert RunKey.parse(str(key)) == key


@given(st.text())
def test_a_text_is_refused_or_names_an_existing_phase_and_a_number(text):
    try:
        key = RunKey.parse(text)
    except ValueError:
        return
    assert key.phase in PHASES
    assert key.number >= 0
