"""Tests that the ledger only grows and is written before the data is returned."""

import dataclasses
import pickle
from pathlib import Path

import pytest

from study.state.ledger import FILE_NAME, LedgeredAccess, readings
from trainables.errors import TestSetClosedError
from trainables.interfaces import registry


@pytest.fixture
def access(tmp_path: Path) -> LedgeredAccess:
    return LedgeredAccess(tmp_path / FILE_NAME, "toy", 3, 1, "search/7", "abc", 5)


def test_lines_are_appended_in_order_after_an_incomplete_one(access: LedgeredAccess, tmp_path: Path) -> None:
    assert readings(tmp_path) == []
    access.record("digits", 360)
    with access.ledger.open("ab") as file:
        file.write(b'{"time": 1, "ho')  # a process killed while writing
    dataclasses.replace(access, attempt=2).record("digits", 360)
    found = readings(tmp_path)
    assert [line["attempt"] for line in found] == [1, 2]
    assert {key: found[0][key] for key in ("study", "trial", "arm", "config_digest", "seed", "dataset", "images")} == {
        "study": "toy",
        "trial": 3,
        "arm": "search/7",
        "config_digest": "abc",
        "seed": 5,
        "dataset": "digits",
        "images": 360,
    }


def test_an_access_can_be_pickled_for_workers(access: LedgeredAccess) -> None:
    assert pickle.loads(pickle.dumps(access)) == access


def test_test_data_requires_an_access_and_is_recorded_first(access: LedgeredAccess, tmp_path: Path) -> None:
    digits = registry.load("datasets", "digits").model_validate({})
    with pytest.raises(TestSetClosedError):
        digits.test_images(None)
    assert readings(tmp_path) == []
    images = digits.test_images(access)
    assert [(line["dataset"], line["images"]) for line in readings(tmp_path)] == [("digits", len(images.labels))]
    unwritable = dataclasses.replace(access, ledger=tmp_path / FILE_NAME / "below")
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        digits.test_images(unwritable)
