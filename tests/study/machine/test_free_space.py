"""Room on the disk, of folders that are there or not yet."""

import errno
import shutil
from pathlib import Path

import pytest

from study.machine import free_space


def test_the_room_of_a_folder_that_will_be_made_is_that_of_the_one_above(tmp_path: Path) -> None:
    free = free_space.free_bytes(tmp_path / "not" / "yet")
    assert free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)
    free_space.require(tmp_path / "not" / "yet")


@pytest.mark.fault(17)
def test_too_little_room_is_the_error_of_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_space, "LEAST_BYTES", 1 << 60)
    with pytest.raises(OSError, match="No space left on device") as caught:
        free_space.require(tmp_path)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path))
