"""The test ledger: who read the test set, when, for which configuration and seed; it only grows.

Only ``study/confirm.py`` issues accesses (and ``cskd train --test``, for a configuration that is already chosen).
"""

from __future__ import annotations

import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainables.durable import append_json_line, read_json_lines
from trainables.faultpoints import faultpoint

FILE_NAME = "test_ledger.jsonl"


@dataclass(frozen=True)
class LedgeredAccess:
    """Permission for one run to read the test set; each reading becomes a line of the ledger before the data is given.

    Attributes:
        ledger: The file.
        study: Name of the study.
        trial: Number of the confirmation trial.
        attempt: Of the run.
        arm: What is confirmed, such as ``search/7``.
        config_digest: Of the run's configuration.
        seed: Of the run.
    """

    ledger: Path
    study: str
    trial: int
    attempt: int
    arm: str
    config_digest: str
    seed: int

    def record(self, dataset: str, images: int) -> None:
        """Writes the reading, durably."""
        who = asdict(self)
        who.pop("ledger")
        reading = {"time": time.time(), "host": socket.gethostname(), "dataset": dataset, "images": images}
        append_json_line(self.ledger, reading | who)
        faultpoint("ledger: reading noted")


def readings(directory: Path) -> list[dict[str, Any]]:
    """All readings of a study, in order."""
    return list(read_json_lines(directory / FILE_NAME))
