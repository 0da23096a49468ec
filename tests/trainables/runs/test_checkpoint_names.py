from pathlib import Path

import pytest

from trainables.runs import checkpoint_names


def finished(directory: Path, epoch: int) -> None:
    path = checkpoint_names.path_of(directory, epoch)
    path.write_bytes(b"")
    checkpoint_names.checksum_of(path).write_bytes(b"")


@pytest.mark.parametrize(("at_most", "newest"), [(12, 11), (11, 11), (10, 9), (8, 0)])
def test_the_newest_finished_checkpoint(tmp_path: Path, at_most: int, newest: int) -> None:
    for epoch in (9, 11):
        finished(tmp_path, epoch)
    checkpoint_names.path_of(tmp_path, 12).write_bytes(b"no checksum yet")
    assert checkpoint_names.newest_epoch(tmp_path, at_most) == newest


def test_without_a_directory_nothing_is_saved(tmp_path: Path) -> None:
    assert checkpoint_names.newest_epoch(tmp_path / "absent", 5) == 0


@pytest.mark.fault(21)
def test_order_is_by_epoch_not_by_clock(tmp_path: Path) -> None:
    for epoch in (1_000, 9, 200):
        finished(tmp_path, epoch)
    assert [path.name for path in checkpoint_names.generations(tmp_path)] == [
        "epoch_001000.pt",
        "epoch_000200.pt",
        "epoch_000009.pt",
    ]
