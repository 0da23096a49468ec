"""Tests of distributions, their mappings in study files, and the cells of discrete spaces."""

import itertools
import math

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search_spaces.space import as_mapping, cell_count, cells, default_space, distribution, ends, key, values

EVEN = [
    ([1, 4], FloatDistribution(1, 4, step=3)),
    ([4, 2, 1, 3], FloatDistribution(1, 4, step=1)),
    ([0.7, 0.8, 0.9], FloatDistribution(0.7, 0.9, step=0.1)),  # 0.8 - 0.7 is not 0.1 in binary
    ([0.1, 0.4, 0.7, 1.0], FloatDistribution(0.1, 1.0, step=0.3)),
    ([5], FloatDistribution(5, 5)),
    (["1e-3", "2e-3"], FloatDistribution(1e-3, 2e-3, step=1e-3)),  # PyYAML reads 1e-3 as a string
]
UNEVEN = [
    ([1, 2, 4], (1.0, 2.0, 4.0)),
    ([16, 1, 4], (1.0, 4.0, 16.0)),
    ([0, 1 / 3, 2 / 3, 1], (0, 1 / 3, 2 / 3, 1.0)),  # no decimal step divides the range
    (["a", "b"], ("a", "b")),
    ([True, False], (True, False)),
    (["1e-4", 1e-3, 1e-2], (1e-4, 1e-3, 1e-2)),
]


@pytest.mark.parametrize(("choices", "expected"), EVEN)
def test_evenly_spaced_choices_become_a_stepped_range(choices, expected) -> None:
    found = distribution({"choices": choices})
    assert found == expected
    assert values(found) == pytest.approx(sorted(float(choice) for choice in choices), rel=1e-12)


@pytest.mark.parametrize(("choices", "expected"), UNEVEN)
def test_other_choices_stay_choices(choices, expected) -> None:
    assert distribution({"choices": choices}) == CategoricalDistribution(expected)


def test_low_equal_to_high_is_fixed() -> None:
    for extra in ({}, {"log": True}, {"step": 1}):
        found = distribution({"low": 4, "high": 4, **extra})
        assert values(found) == [4.0]
        assert cell_count({"x": found}) == 1


def test_numbers_written_as_text_are_numbers() -> None:
    assert distribution({"low": "1e-3", "high": "1e-1", "log": True}) == FloatDistribution(1e-3, 1e-1, log=True)


REFUSED = {
    "a range needs low and high": [{}, {"low": 1}, {"high": 1}, {"log": True}],
    "choices is a list with at least one value": [{"choices": []}, {"choices": 4}, {"choices": "14"}, {"choices": {}}],
    r"low \(3\) is greater than high \(1\)": [{"low": 3, "high": 1}],
    "starts above 0, not at 0; add 0 as a control": [{"low": 0, "high": 1, "log": True}],
    "starts above 0, not at -1": [{"low": -1, "high": 1, "log": True}],
    "is a finite number": [{"low": math.nan, "high": 1}, {"low": 0, "high": math.inf}, {"low": True, "high": 2}],
    "low is a number, not 'one'": [{"low": "one", "high": 2}],
    "high is a number, not None": [{"low": 1, "high": None}],
    "step must be greater than 0": [{"low": 0, "high": 1, "step": 0}, {"low": 0, "high": 1, "step": -1}],
    "step 0.3 does not divide the range from 0 to 1": [{"low": 0, "high": 1, "step": 0.3}],
    "step 0.333333 does not divide": [{"low": 0, "high": 1, "step": 0.3333333333}],
    "step 1e-09 does not divide": [{"low": 0, "high": 1e300, "step": 1e-9}],
    "log and step do not go together": [{"low": 1, "high": 3, "log": True, "step": 1}],
    "log is true or false, not 1": [{"low": 1, "high": 3, "log": 1}],
    "a duplicate value": [
        {"choices": [1, 2, 1]},
        {"choices": ["a", "a"]},
        {"choices": [1, 1.0]},
        {"choices": ["1e0", 1]},
    ],
    "finite numbers": [{"choices": [1, math.inf]}, {"choices": [math.nan]}],
    "choices are numbers, strings, true or false": [{"choices": [[1], 2]}, {"choices": [{}]}, {"choices": [None, 1]}],
    "unknown key 'hi'": [{"low": 1, "hi": 2}],
    "unknown key 'low'": [{"choices": [1, 2], "low": 1}],
}


@pytest.mark.parametrize(("message", "mapping"), [(m, keys) for m, found in REFUSED.items() for keys in found])
def test_invalid_mappings_are_refused_with_a_message(message, mapping) -> None:
    with pytest.raises(ValueError, match=message):
        distribution(mapping)


# Numbers as users write them: a few digits, from thousandths to thousands.
number = st.builds(lambda digits, places: digits / 10**places, st.integers(-9999, 9999), st.integers(0, 3))
stepped = st.builds(
    lambda low, step, count, places: [round(low + k * step / 10**places, 9) for k in range(count)],
    number,
    st.integers(1, 999),
    st.integers(2, 12),
    st.integers(0, 3),
)
choice_lists = (
    stepped
    | st.lists(number, min_size=1, max_size=8, unique=True)
    | st.lists(st.text(max_size=5), min_size=1, max_size=5, unique=True)
)
ranges = st.tuples(number, number).map(sorted).map(lambda pair: {"low": pair[0], "high": pair[1]})
mappings = (
    choice_lists.map(lambda choices: {"choices": choices})
    | ranges
    | ranges.filter(lambda found: found["low"] > 0).map(lambda found: found | {"log": True})
    | stepped.map(lambda line: {"low": line[0], "high": line[-1], "step": round(line[1] - line[0], 9)})
)


@given(mappings)
def test_as_mapping_is_the_inverse_of_distribution(mapping) -> None:
    found = distribution(mapping)  # Optuna's warning about a moved bound is an error in tests
    assert distribution(as_mapping(found)) == found


@given(stepped)
def test_a_stepped_range_keeps_all_values_of_the_choices(choices) -> None:
    found = distribution({"choices": choices})
    assert isinstance(found, FloatDistribution)
    assert values(found) == pytest.approx(choices, rel=1e-9, abs=1e-9)
    assert ends(found) == [choices[0], choices[-1]]


@given(st.lists(choice_lists, min_size=1, max_size=3))
def test_cells_are_distinct_points_of_the_space(columns) -> None:
    space = {f"p{n}": distribution({"choices": choices}) for n, choices in enumerate(columns)}
    found = list(itertools.islice(cells(space), 200))
    assert cell_count(space) == math.prod(len(choices) for choices in columns)
    assert len({key(cell) for cell in found}) == min(200, cell_count(space))
    for cell in found:
        for name, value in cell.items():
            internal = space[name].to_internal_repr(value)
            # Optuna's check tolerates the rounding that its samplers apply to stepped values.
            assert space[name]._contains(internal)


@given(stepped, st.integers(0, 2**31))
@settings(max_examples=60)
def test_sampled_points_are_cells(choices, seed) -> None:
    space = {"x": distribution({"choices": choices})}
    known = {key(cell) for cell in cells(space)}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(5):
        assert key(study.ask(space).params) in known


def test_order_and_count_of_cells() -> None:
    space = {"t": distribution({"choices": [1, 4]}), "w": distribution({"choices": [1, 2, 3, 4]})}
    assert [(cell["t"], cell["w"]) for cell in cells(space)] == list(itertools.product([1, 4], [1, 2, 3, 4]))
    assert cell_count(space) == 8


def test_a_continuous_space_has_no_cells() -> None:
    space = {"t": distribution({"low": 1, "high": 2}), "w": distribution({"choices": [1, 2]})}
    assert cell_count(space) is None
    assert values(space["t"]) is None
    with pytest.raises(ValueError, match="t: a grid needs choices or a step"):
        next(cells(space))


def test_a_huge_grid_is_counted_without_being_listed() -> None:
    assert cell_count({"x": distribution({"low": 0, "high": 1, "step": 1e-9})}) == 10**9 + 1


def test_key_ignores_differences_in_the_last_digits_only() -> None:
    assert key({"b": 0.1 + 0.2, "a": "x"}) == key({"a": "x", "b": 0.3})
    assert key({"b": 0.3}) != key({"b": 0.30000001})


def test_default_spaces() -> None:
    found = default_space("cs_kd")
    assert found == {
        "temperature": FloatDistribution(0.5, 16, log=True),
        "lambda_cls": FloatDistribution(0.1, 8, log=True),
    }
    assert default_space("cross_entropy") is None
    assert default_space("my_package:MyMethod") is None
