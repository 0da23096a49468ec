"""The assignment of a worker: one run of one trial, as plain data that Ray can send."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainables.config import TrainConfig
from trainables.interfaces import TestAccess
from trainables.runs.run_key import PhaseName


@dataclass(frozen=True)
class Assignment:
    """A run to be carried out.

    Attributes:
        phase: Phase of the trial.
        number: Number of the trial in its phase, from 0.
        attempt: Number of the attempt, from 1.
        config: Configuration to train.
        directory: Folder of the run's files.
        access: Opens the test set; None, as for every run but confirmations, leaves it closed.
        test_each_epoch: Whether to measure the test set after each epoch.
        patience_seconds: Longest time that an epoch may take before the process is ended; None waits for ever.
        objects: URI of the run's folder in an object store; None where driver and workers share ``directory``.
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
