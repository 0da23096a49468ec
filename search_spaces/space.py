"""Search spaces: the words of a study file, the cells of a discrete space, the default of a method.

The words are Optuna's: ``{low, high, log, step}`` or ``{choices}``. Numbers among choices that are evenly spaced become
a stepped range, for a sampler must know that 1 < 4.
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
    """The default space of a method, ``SPACE`` of ``search_spaces/<method>.py``; None for a method without one."""
    name = f"search_spaces.{method}"
    if ":" in method or importlib.util.find_spec(name) is None:
        return None
    return dict(importlib.import_module(name).SPACE)


def distribution(words: Mapping[str, Any]) -> BaseDistribution:
    """The distribution that a study file's words describe.

    Args:
        words: ``{choices: [...]}``, or ``low`` and ``high`` with optional ``log`` or ``step``.

    Raises:
        ValueError: The words are unknown, missing, contradict each other or are out of range.

    Example:
        >>> distribution({"choices": [1, 4]})
        FloatDistribution(high=4.0, log=False, low=1.0, step=3.0)
    """
    if "choices" in words:
        _refuse_unknown(words, {"choices"})
        return _choices(words["choices"])
    _refuse_unknown(words, {"low", "high", "log", "step"})
    if "low" not in words or "high" not in words:
        raise ValueError("a range needs low and high; a list of values is written as choices: [...]")
    low, high = _number(words, "low"), _number(words, "high")
    log = words.get("log", False)
    if not isinstance(log, bool):
        raise ValueError(f"log is true or false, not {log!r}")
    step = None if words.get("step") is None else _number(words, "step")
    _check_range(low, high, log, step)
    return FloatDistribution(low, high, log=log, step=step)


def words(of: BaseDistribution) -> dict[str, Any]:
    """The words that describe a distribution; ``distribution`` reads them back."""
    if isinstance(of, CategoricalDistribution):
        return {"choices": list(of.choices)}
    assert isinstance(of, FloatDistribution)  # noqa: S101 - the only other kind that ``distribution`` makes
    extra: dict[str, Any] = {"log": True} if of.log else {} if of.step is None else {"step": of.step}
    return {"low": of.low, "high": of.high, **extra}


def values(of: BaseDistribution) -> list[Any] | None:
    """All values of a discrete distribution, in order; None for a continuous one."""
    if isinstance(of, CategoricalDistribution):
        return list(of.choices)
    assert isinstance(of, FloatDistribution)  # noqa: S101
    if of.single():
        return [of.low]
    if of.step is None:
        return None
    # Optuna's samplers round to low + k·step in just this way; equal arithmetic makes cells comparable.
    return [float(min(of.low + k * of.step, of.high)) for k in range(_size(of) or 0)]


def ends(of: BaseDistribution) -> list[Any]:
    """The values that decide whether all of a distribution are allowed: the choices, or the bounds of a range."""
    if isinstance(of, CategoricalDistribution):
        return list(of.choices)
    assert isinstance(of, FloatDistribution)  # noqa: S101
    return [of.low, of.high]


def contains(of: BaseDistribution, value: Any) -> bool:
    """Whether a value is one of a distribution's.

    Example:
        >>> stepped = distribution({"low": 1, "high": 4, "step": 1})
        >>> contains(stepped, 3), contains(stepped, 2.5), contains(stepped, "3"), contains(stepped, 5)
        (True, False, False, False)
    """
    listed = values(of)
    if listed is not None:
        return key({"": value}) in {key({"": each}) for each in listed}
    assert isinstance(of, FloatDistribution)  # noqa: S101
    return isinstance(value, int | float) and not isinstance(value, bool) and of.low <= value <= of.high


def cell_count(space: Space) -> int | None:
    """Number of points of a discrete space; None when it is continuous."""
    sizes = [_size(of) for of in space.values()]
    return None if any(size is None for size in sizes) else math.prod(size or 0 for size in sizes)


def cells(space: Space) -> Iterator[dict[str, Any]]:
    """All points of a discrete space, the last parameter varying fastest.

    Raises:
        ValueError: A parameter is continuous.
    """
    columns = {name: values(of) for name, of in space.items()}
    continuous = [name for name, column in columns.items() if column is None]
    if continuous:
        raise ValueError(f"{', '.join(continuous)}: a grid needs choices or a step")
    for point in itertools.product(*(column or () for column in columns.values())):
        yield dict(zip(columns, point, strict=True))


def key(point: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """A hashable form of a point; equal for points that differ in the last digits only."""
    return tuple(sorted((name, float(f"{x:.12g}") if isinstance(x, float) else x) for name, x in point.items()))


def _size(of: BaseDistribution) -> int | None:
    if isinstance(of, CategoricalDistribution):
        return len(of.choices)
    assert isinstance(of, FloatDistribution)  # noqa: S101
    if of.single():
        return 1
    return None if of.step is None else round((of.high - of.low) / of.step) + 1


def _choices(choices: Any) -> BaseDistribution:
    if not isinstance(choices, list | tuple) or not choices:
        raise ValueError("choices is a list with at least one value")
    if not all(isinstance(choice, str | int | float) for choice in choices):
        raise ValueError(f"choices are numbers, words, true or false: {list(choices)}")
    choices = [_read_exponent(choice) for choice in choices]
    if any(choices.count(choice) > 1 for choice in choices):
        raise ValueError(f"choices hold a value twice: {list(choices)}")
    numeric = all(isinstance(choice, int | float) and not isinstance(choice, bool) for choice in choices)
    if not numeric:
        return CategoricalDistribution(choices)
    # Compared first: an integer of 400 digits is no float.
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
    # YAML takes 1e-3 for a word, because it has no dot.
    number = isinstance(choice, str) and re.fullmatch(r"[-+]?[0-9]+[eE][-+]?[0-9]+", choice)
    return float(choice) if number else choice


def _divides(step: float, low: float, high: float) -> bool:
    # In decimals, as Optuna decides it; otherwise it would move the upper bound.
    try:
        return (_decimal(high) - _decimal(low)) % _decimal(step) == 0
    except InvalidOperation:  # more steps than decimals have digits
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


def _number(words: Mapping[str, Any], key: str) -> float:
    try:
        number = float(words[key])
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        raise ValueError(f"{key} is a number, not {words[key]!r}") from None
    if isinstance(words[key], bool) or not math.isfinite(number):
        raise ValueError(f"{key} is a finite number, not {words[key]!r}")
    return number


def _refuse_unknown(words: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(map(str, words)) - known)
    if unknown:
        raise ValueError(f"unknown word {unknown[0]!r}; a range has low, high, log, step; a list has choices")
