from pathlib import Path

import pytest

from trainables.runs import checkpoint_names


def finished(directory: Path, epoch: int) -> None:
    path = checkpoint_names.path_of(directory, epoch)
    path.write_bytes(b"")
    checkpoint_names.checksum_of(path).write_bytes(b"")


@pytest.mark.parametrize(("at_most", "newest"), [(12, 11), (11, 11), (10, 9), (8, 0)])
def test_newest_epoch_ignores_incomplete_checkpoints(tmp_path: Path, at_most: int, newest: int) -> None:
    for epoch in (9, 11):
        finished(tmp_path, epoch)
    checkpoint_names.path_of(tmp_path, 12).write_bytes(b"no checksum yet")
    assert checkpoint_names.newest_epoch(tmp_path, at_most) == newest


def test_newest_epoch_of_a_missing_directory_is_zero(tmp_path: Path) -> None:
    assert checkpoint_names.newest_epoch(tmp_path / "absent", 5) == 0


@pytest.mark.fault(21)
def test_checkpoints_are_ordered_by_epoch_not_by_time(tmp_path: Path) -> None:
    for epoch in (1_000, 9, 200):
        finished(tmp_path, epoch)
    assert [path.name for path in checkpoint_names.generations(tmp_path)] == [
        "epoch_001000.pt",
        "epoch_000200.pt",
        "epoch_000009.pt",
    ]
