"""Append-only ledger of the test set: who read it, when, and for which configuration and seed.

Only two places grant access: ``study/phases/confirm.py``, and ``cskd train --test`` for a configuration that is already
chosen.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainables.files.durable import append_json_line, read_json_lines
from trainables.files.faultpoints import faultpoint
from trainables.files.object_store import ObjectStore
from trainables.runs.run_objects import RunObjects

FILE_NAME = "test_ledger.jsonl"


@dataclass(frozen=True)
class LedgeredAccess:
    """Permission for one run to read the test set; each reading is written to the ledger before the data is returned.

    Attributes:
        ledger: Path of the ledger file on the driver's machine.
        study: Name of the study.
        trial: Number of the confirmation trial.
        attempt: Number of the run's attempt.
        arm: Arm that is confirmed, such as ``search/7``.
        config_digest: Digest of the run's configuration.
        seed: Training seed of the run.
        objects: URI of the run's folder in an object store, to which a worker without access to the ledger file writes
            its readings; None to write to the file.
    """

    ledger: Path
    study: str
    trial: int
    attempt: int
    arm: str
    config_digest: str
    seed: int
    objects: str | None = None

    def record(self, dataset: str, images: int) -> None:
        """Writes a reading durably.

        Args:
            dataset: Name of the data set.
            images: Number of test images.
        """
        reader = {name: value for name, value in asdict(self).items() if name not in ("ledger", "objects")}
        reading = {"time": time.time(), "host": socket.gethostname(), "dataset": dataset, "images": images} | reader
        if self.objects is None:
            append_json_line(self.ledger, reading)
        else:
            RunObjects(ObjectStore(self.objects)).write_reading(reading)
        faultpoint("ledger: reading noted")


def add_missing(ledger: Path, found: Sequence[dict[str, Any]]) -> None:
    """Appends the readings of workers that the ledger file does not contain.

    Raises:
        OSError: The disk is full.
    """
    known = list(read_json_lines(ledger)) if found else []
    for reading in found:
        if reading not in known:
            append_json_line(ledger, reading)


def readings(directory: Path) -> list[dict[str, Any]]:
    """Returns all readings of a study, in order."""
    return list(read_json_lines(directory / FILE_NAME))
