"""Rules for access to the test set, checked in the source code."""

import ast
from pathlib import Path

import pytest

from trainables.errors import TestSetClosedError
from trainables.interfaces import Dataset, registry

ROOT = Path(__file__).parents[2]
SOURCES = [
    path for package in ("study", "trainables", "search_spaces", "analysis") for path in (ROOT / package).rglob("*.py")
]


def callers(name: str) -> set[str]:
    """Returns the source files that call a function or method of this name."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and name in (
                getattr(node.func, "attr", None),
                getattr(node.func, "id", None),
            ):
                found.add(str(path.relative_to(ROOT)))
    return found


def test_the_test_set_has_one_reader_and_two_issuers() -> None:
    assert callers("test_images") == {"trainables/training/run.py"}
    assert callers("LedgeredAccess") == {"study/phases/confirm.py", "study/driver/single_run.py"}
    # The mixed set reads its component sets; access to its own test part is already checked.
    assert callers("_read") == {"trainables/interfaces/dataset.py", "trainables/datasets/bird_dog_indoor.py"}


@pytest.mark.parametrize("name", registry.available("datasets"))
@pytest.mark.parametrize("access", [None, object(), True])
def test_every_data_set_refuses_its_test_part_without_a_ledger(name: str, access: object) -> None:
    dataset = registry.load("datasets", name)()
    assert isinstance(dataset, Dataset)
    with pytest.raises(TestSetClosedError, match="records it"):
        dataset.test_images(access)
