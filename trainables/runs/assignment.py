"""What a worker is told to do: one run of one trial, as plain data that travels through Ray."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from study.state.ledger import LedgeredAccess
from trainables.config import TrainConfig

if TYPE_CHECKING:
    # Workers read assignments; they do not need the store and its database library.
    from study.state.store import Phase


@dataclass(frozen=True)
class Assignment:
    """A run to be carried out.

    Attributes:
        phase: Of the trial.
        number: Of the trial in its phase.
        attempt: 1 for the first.
        config: What is trained.
        directory: Where the run's files are.
        access: Opens the test set; only confirmations have one.
        test_each_epoch: Also measure the test set at each epoch.
        patience_seconds: The longest that an epoch may take before its process is ended.
        objects: URI of the run's place in an object store; None where driver and workers share the directory.
    """

    phase: Phase
    number: int
    attempt: int
    config: TrainConfig
    directory: Path
    access: LedgeredAccess | None = None
    test_each_epoch: bool = False
    patience_seconds: float | None = None
    objects: str | None = None
