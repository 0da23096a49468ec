"""Names of the checkpoints of a run, one an epoch; needs no torch, so that a driver can ask what is saved."""

from pathlib import Path

SUFFIX = ".sha256"


def path_of(directory: Path, epoch: int) -> Path:
    """Where the checkpoint after ``epoch`` finished epochs lies.

    Example:
        >>> path_of(Path("checkpoints"), 12).name
        'epoch_000012.pt'
    """
    return directory / f"epoch_{epoch:06d}.pt"


def checksum_of(path: Path) -> Path:
    """Where the checksum of a checkpoint lies; it is written last, so a checkpoint without one is unfinished."""
    return path.with_name(path.name + SUFFIX)


def generations(directory: Path) -> list[Path]:
    """Checkpoints in ``directory``, newest first; order is by epoch, never by clock."""
    return sorted(directory.glob("epoch_*.pt"), reverse=True)


def newest_epoch(directory: Path, at_most: int) -> int:
    """Epoch of the newest finished checkpoint that is of no later epoch than ``at_most``; 0 where there is none."""
    epochs = (_epoch_of(path) for path in generations(directory) if checksum_of(path).exists())
    return next((epoch for epoch in epochs if epoch <= at_most), 0)


def _epoch_of(path: Path) -> int:
    return int(path.stem.removeprefix("epoch_"))
