"""Assignment of a run to a worker, as plain data that Ray can serialise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainables.config import TrainConfig
from trainables.interfaces import TestAccess
from trainables.runs.run_key import PhaseName


@dataclass(frozen=True)
class Assignment:
    """One attempt at a run.

    Attributes:
        phase: Phase of the trial.
        number: Number of the trial in its phase, from 0.
        attempt: Number of the attempt, from 1.
        config: Configuration to train.
        directory: Folder of the run's files.
        access: Permission to read the test set; None for every run that is not a confirmation.
        test_each_epoch: Whether to evaluate on the test set after each epoch.
        patience_seconds: Longest time an epoch may take before the process is killed, in seconds; None for no limit.
        objects: URI of the run's folder in an object store; None if driver and workers share ``directory``.
    """

    phase: PhaseName
    number: int
    attempt: int
    config: TrainConfig
    directory: Path
    access: TestAccess | None = None
    test_each_epoch: bool = False
    patience_seconds: float | None = None
    objects: str | None = None
