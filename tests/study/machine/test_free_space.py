"""Tests the free space of existing and missing folders."""

import errno
import shutil
from pathlib import Path

import pytest

from study.machine import free_space


def test_the_free_space_of_a_missing_folder_is_that_of_its_parent(tmp_path: Path) -> None:
    free = free_space.free_bytes(tmp_path / "not" / "yet")
    assert free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)
    free_space.require(tmp_path / "not" / "yet")


@pytest.mark.fault(17)
def test_too_little_free_space_raises_the_error_of_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_space, "LEAST_BYTES", 1 << 60)
    with pytest.raises(OSError, match="No space left on device") as caught:
        free_space.require(tmp_path)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path))
