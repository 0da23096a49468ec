"""Records in the study directory which MLflow runs belong to a study, so that tables and commands can link to them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from trainables.files.durable import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "tracking.json"


@dataclass(frozen=True)
class TrackingRecord:
    """MLflow store of a study, and the study's runs in it.

    Attributes:
        uri: URI of the store, without a password.
        experiment_id: Id of the experiment that holds the runs.
        runs: MLflow's run ids, by run key such as ``search/7``.
    """

    uri: str
    experiment_id: str
    runs: dict[str, str] = field(default_factory=dict)

    def write(self, directory: Path) -> None:
        """Writes the record to a study directory and replaces an earlier one."""
        write_atomic(directory / FILE_NAME, json.dumps(asdict(self), indent=1).encode())


def read(directory: Path) -> TrackingRecord | None:
    """Reads the record of a study directory; None if nothing was tracked, or if the file is damaged."""
    try:
        return TrackingRecord(**json.loads((directory / FILE_NAME).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
