"""The test ledger: who read the test set, when, for which configuration and seed; it only grows.

Only ``study/phases/confirm.py`` issues accesses, and ``cskd train --test`` for a configuration that is already chosen.
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
    """Permission for one run to read the test set; each reading becomes a line of the ledger before the data is given.

    Attributes:
        ledger: The file, on the driver's machine.
        study: Name of the study.
        trial: Number of the confirmation trial.
        attempt: Of the run.
        arm: What is confirmed, such as ``search/7``.
        config_digest: Of the run's configuration.
        seed: Of the run.
        objects: URI of the run's place in an object store, where a worker that does not share the file leaves its
            readings for the driver; None writes into the file.
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
        """Writes the reading, durably."""
        who = {name: value for name, value in asdict(self).items() if name not in ("ledger", "objects")}
        reading = {"time": time.time(), "host": socket.gethostname(), "dataset": dataset, "images": images} | who
        if self.objects is None:
            append_json_line(self.ledger, reading)
        else:
            RunObjects(ObjectStore(self.objects)).write_reading(reading)
        faultpoint("ledger: reading noted")


def take_in(ledger: Path, found: Sequence[dict[str, Any]]) -> None:
    """Adds the readings that workers left elsewhere and that the file does not have.

    Raises:
        OSError: The disk is full.
    """
    known = list(read_json_lines(ledger)) if found else []
    for reading in found:
        if reading not in known:
            append_json_line(ledger, reading)


def readings(directory: Path) -> list[dict[str, Any]]:
    """All readings of a study, in order."""
    return list(read_json_lines(directory / FILE_NAME))
