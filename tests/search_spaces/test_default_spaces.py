"""Tests of every default space: its parameters exist, and the method accepts its bounds."""

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


def test_tunable_methods_have_default_spaces() -> None:
    assert {"cs_kd", "label_smoothing"} <= set(TUNABLE)


@pytest.mark.parametrize("method", TUNABLE)
def test_the_method_accepts_the_bounds(method: str) -> None:
    part = registry.load("methods", method)
    for name, distribution in default_space(method).items():
        for value in ends(distribution):
            assert getattr(part.model_validate({name: value}), name) == value
