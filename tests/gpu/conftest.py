"""Fixtures of the tests on a GPU."""

from collections.abc import Iterator

import pytest
import torch

from trainables.training import workbench


@pytest.fixture(autouse=True)
def _comparable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Uses full float32 and deterministic sums, so that results can be compared; discards networks of other tests."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    workbench._kept.clear()
    yield
    workbench._kept.clear()
