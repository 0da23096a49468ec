"""The protocol that code enforces: who may open the test set, found in the source itself."""

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
    """Source files that call something of this name."""
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
    # The mixed set reads the sets that it is made of; whoever asks it for test data has gone through the same door.
    assert callers("_read") == {"trainables/interfaces/dataset.py", "trainables/datasets/bird_dog_indoor.py"}


@pytest.mark.parametrize("name", registry.available("datasets"))
@pytest.mark.parametrize("access", [None, object(), True])
def test_no_data_set_opens_its_test_part_without_a_ledger(name: str, access: object) -> None:
    dataset = registry.load("datasets", name)()
    assert isinstance(dataset, Dataset)
    with pytest.raises(TestSetClosedError, match="records it"):
        dataset.test_images(access)
