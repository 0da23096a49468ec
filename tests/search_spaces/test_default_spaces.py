"""What holds of every default space: its bounds suit the method, and its parameters exist."""

import pkgutil

import pytest

import search_spaces
from search_spaces.space import default_space, ends
from trainables.interfaces import registry

TUNABLE = [
    module.name
    for module in pkgutil.iter_modules(search_spaces.__path__)
    if module.name in registry.available("methods")
]


def test_there_are_spaces() -> None:
    assert {"cs_kd", "label_smoothing"} <= set(TUNABLE)


@pytest.mark.parametrize("method", TUNABLE)
def test_bounds_suit_the_method(method: str) -> None:
    part = registry.load("methods", method)
    for name, of in default_space(method).items():
        for value in ends(of):
            assert getattr(part.model_validate({name: value}), name) == value
