"""File names of the checkpoints of a run, one per epoch; does not import torch, so that a driver starts quickly."""

from pathlib import Path

SUFFIX = ".sha256"


def path_of(directory: Path, epoch: int) -> Path:
    """Returns the path of the checkpoint after ``epoch`` finished epochs.

    Example:
        >>> path_of(Path("checkpoints"), 12).name
        'epoch_000012.pt'
    """
    return directory / f"epoch_{epoch:06d}.pt"


def checksum_of(path: Path) -> Path:
    """Returns the path of a checkpoint's checksum, which is written last: a checkpoint without one is incomplete."""
    return path.with_name(path.name + SUFFIX)


def generations(directory: Path) -> list[Path]:
    """Returns the checkpoints in ``directory``, highest epoch first."""
    return sorted(directory.glob("epoch_*.pt"), reverse=True)


def newest_epoch(directory: Path, at_most: int) -> int:
    """Returns the epoch of the newest complete checkpoint up to epoch ``at_most``; 0 if there is none."""
    epochs = (_epoch_of(path) for path in generations(directory) if checksum_of(path).exists())
    return next((epoch for epoch in epochs if epoch <= at_most), 0)


def _epoch_of(path: Path) -> int:
    return int(path.stem.removeprefix("epoch_"))
