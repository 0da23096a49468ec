"""What tests on a GPU share."""

from collections.abc import Iterator

import pytest
import torch

from trainables.training import workbench


@pytest.fixture(autouse=True)
def _comparable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whole float32 and sums in a fixed order, so that two ways can be compared; no network of another test."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    workbench._kept.clear()
    yield
    workbench._kept.clear()
