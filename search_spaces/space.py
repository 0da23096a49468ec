"""Search spaces: default spaces of methods, distributions of study files, cells of discrete spaces.

A study file gives a distribution in Optuna's terms: ``{low, high, log, step}`` or ``{choices}``. Evenly spaced numeric
choices become a stepped range, so that samplers know their order.
"""

import importlib
import importlib.util
import itertools
import math
import re
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

Space = dict[str, BaseDistribution]

LARGEST_GRID = 10**6


def default_space(method: str) -> Space | None:
    """Returns a method's default space, ``SPACE`` in ``search_spaces/<method>.py``, or None if it has none."""
    name = f"search_spaces.{method}"
    if ":" in method or importlib.util.find_spec(name) is None:
        return None
    return dict(importlib.import_module(name).SPACE)


def distribution(keys: Mapping[str, Any]) -> BaseDistribution:
    """Returns the distribution that a mapping of a study file describes.

    Args:
        keys: ``{choices: [...]}``, or ``low`` and ``high`` with optional ``log`` or ``step``.

    Raises:
        ValueError: A key is unknown or missing, keys contradict each other, or a value is out of range.

    Example:
        >>> distribution({"choices": [1, 4]})
        FloatDistribution(high=4.0, log=False, low=1.0, step=3.0)
    """
    if "choices" in keys:
        _refuse_unknown(keys, {"choices"})
        return _choices(keys["choices"])
    _refuse_unknown(keys, {"low", "high", "log", "step"})
    if "low" not in keys or "high" not in keys:
        raise ValueError("a range needs low and high; a list of values is written as choices: [...]")
    low, high = _number(keys, "low"), _number(keys, "high")
    log = keys.get("log", False)
    if not isinstance(log, bool):
        raise ValueError(f"log is true or false, not {log!r}")
    step = None if keys.get("step") is None else _number(keys, "step")
    _check_range(low, high, log, step)
    return FloatDistribution(low, high, log=log, step=step)


def as_mapping(distribution: BaseDistribution) -> dict[str, Any]:
    """Returns the mapping that describes a distribution in a study file; the inverse of ``distribution``."""
    if isinstance(distribution, CategoricalDistribution):
        return {"choices": list(distribution.choices)}
    assert isinstance(distribution, FloatDistribution)  # noqa: S101 - the only other kind that this module creates
    extra: dict[str, Any] = (
        {"log": True} if distribution.log else {} if distribution.step is None else {"step": distribution.step}
    )
    return {"low": distribution.low, "high": distribution.high, **extra}


def values(distribution: BaseDistribution) -> list[Any] | None:
    """Returns all values of a discrete distribution in order, or None for a continuous one."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, FloatDistribution)  # noqa: S101
    if distribution.single():
        return [distribution.low]
    if distribution.step is None:
        return None
    # The same arithmetic as in Optuna's samplers, so that sampled values equal these bit by bit.
    return [
        float(min(distribution.low + k * distribution.step, distribution.high)) for k in range(_size(distribution) or 0)
    ]


def ends(distribution: BaseDistribution) -> list[Any]:
    """Returns the values to check so that all of a distribution are valid: all choices, or the bounds of a range."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, FloatDistribution)  # noqa: S101
    return [distribution.low, distribution.high]


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a distribution contains a value.

    Example:
        >>> stepped = distribution({"low": 1, "high": 4, "step": 1})
        >>> contains(stepped, 3), contains(stepped, 2.5), contains(stepped, "3"), contains(stepped, 5)
        (True, False, False, False)
    """
    listed = values(distribution)
    if listed is not None:
        return key({"": value}) in {key({"": each}) for each in listed}
    assert isinstance(distribution, FloatDistribution)  # noqa: S101
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and distribution.low <= value <= distribution.high
    )


def cell_count(space: Space) -> int | None:
    """Returns the number of points of a discrete space, or None if a parameter is continuous."""
    sizes = [_size(distribution) for distribution in space.values()]
    return None if any(size is None for size in sizes) else math.prod(size or 0 for size in sizes)


def cells(space: Space) -> Iterator[dict[str, Any]]:
    """Yields all points of a discrete space; the last parameter varies fastest.

    Raises:
        ValueError: A parameter is continuous.
    """
    columns = {name: values(distribution) for name, distribution in space.items()}
    continuous = [name for name, column in columns.items() if column is None]
    if continuous:
        raise ValueError(f"{', '.join(continuous)}: a grid needs choices or a step")
    for point in itertools.product(*(column or () for column in columns.values())):
        yield dict(zip(columns, point, strict=True))


def key(point: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Returns a hashable form of a point, with floats rounded to 12 significant digits."""
    return tuple(sorted((name, float(f"{x:.12g}") if isinstance(x, float) else x) for name, x in point.items()))


def _size(distribution: BaseDistribution) -> int | None:
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    assert isinstance(distribution, FloatDistribution)  # noqa: S101
    if distribution.single():
        return 1
    return None if distribution.step is None else round((distribution.high - distribution.low) / distribution.step) + 1


def _choices(choices: Any) -> BaseDistribution:
    if not isinstance(choices, list | tuple) or not choices:
        raise ValueError("choices is a list with at least one value")
    if not all(isinstance(choice, str | int | float) for choice in choices):
        raise ValueError(f"choices are numbers, strings, true or false: {list(choices)}")
    choices = [_read_exponent(choice) for choice in choices]
    if any(choices.count(choice) > 1 for choice in choices):
        raise ValueError(f"choices contain a duplicate value: {list(choices)}")
    numeric = all(isinstance(choice, int | float) and not isinstance(choice, bool) for choice in choices)
    if not numeric:
        return CategoricalDistribution(choices)
    # Before the conversion to float, which fails for an integer of 400 digits.
    if not all(abs(choice) <= sys.float_info.max for choice in choices):
        raise ValueError(f"choices must be finite numbers: {list(choices)}")
    numbers = sorted(float(choice) for choice in choices)
    if len(numbers) == 1:
        return FloatDistribution(numbers[0], numbers[0])
    steps = {right - left for left, right in itertools.pairwise(_decimal(number) for number in numbers)}
    step = float(min(steps))
    if len(steps) == 1 and _divides(step, numbers[0], numbers[-1]):
        return FloatDistribution(numbers[0], numbers[-1], step=step)
    return CategoricalDistribution(numbers)


def _read_exponent(choice: Any) -> Any:
    # PyYAML reads 1e-3 as a string, because it has no dot.
    number = isinstance(choice, str) and re.fullmatch(r"[-+]?[0-9]+[eE][-+]?[0-9]+", choice)
    return float(choice) if number else choice


def _divides(step: float, low: float, high: float) -> bool:
    # In decimal arithmetic, as in Optuna, which would otherwise move the upper bound.
    try:
        return (_decimal(high) - _decimal(low)) % _decimal(step) == 0
    except InvalidOperation:  # the quotient has more digits than the decimal context
        return False


def _decimal(number: float) -> Decimal:
    return Decimal(str(number))


def _check_range(low: float, high: float, log: bool, step: float | None) -> None:
    if low > high:
        raise ValueError(f"low ({low:g}) is greater than high ({high:g})")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range starts above 0, not at {low:g}; add 0 as a control instead")
    if step is None:
        return
    if log:
        raise ValueError("log and step do not go together")
    if step <= 0:
        raise ValueError(f"step must be greater than 0, not {step:g}")
    if not _divides(step, low, high):
        raise ValueError(f"step {step:g} does not divide the range from {low:g} to {high:g}")


def _number(keys: Mapping[str, Any], key: str) -> float:
    try:
        number = float(keys[key])
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        raise ValueError(f"{key} is a number, not {keys[key]!r}") from None
    if isinstance(keys[key], bool) or not math.isfinite(number):
        raise ValueError(f"{key} is a finite number, not {keys[key]!r}")
    return number


def _refuse_unknown(keys: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(map(str, keys)) - known)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; a range has low, high, log, step; a list has choices")
