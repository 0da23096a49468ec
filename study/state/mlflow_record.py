"""Where a study's runs are in MLflow, kept beside the study so that tables and commands can point to them."""

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
    """The store that a study is tracked in, and its runs there.

    Attributes:
        uri: Of the store, without a password.
        experiment_id: Of the experiment that holds the runs.
        runs: Key, such as ``search/7``, to MLflow's id of the run.
    """

    uri: str
    experiment_id: str
    runs: dict[str, str] = field(default_factory=dict)

    def write(self, directory: Path) -> None:
        """Replaces the record of a study directory."""
        write_atomic(directory / FILE_NAME, json.dumps(asdict(self), indent=1).encode())


def read(directory: Path) -> TrackingRecord | None:
    """The record of a study directory; None where nothing was tracked, or when the file is damaged."""
    try:
        return TrackingRecord(**json.loads((directory / FILE_NAME).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
