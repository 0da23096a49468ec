"""Files of one run: epochs, outcome, checkpoints and predictions.

``metrics.jsonl`` is append-only. A line without an epoch begins an attempt and gives the epoch after which it resumes;
it replaces earlier lines of later epochs. Lines of an attempt that appear after a later attempt has begun are ignored.

A worker may outlive its driver by seconds, while the next driver has started another attempt. Each write therefore
first checks whether a later attempt has begun.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from trainables.errors import SupersededError
from trainables.files.durable import append_json_line, read_json_lines, sha256_of, sync_directory, write_atomic
from trainables.files.faultpoints import faultpoint
from trainables.files.sealed_json import is_damaged, seal, unseal
from trainables.runs import predictions
from trainables.runs.checkpoint_names import checksum_of, generations, newest_epoch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

State = Literal["finished", "diverged", "failed"]


@dataclass(frozen=True)
class EpochRow:
    """One finished epoch.

    Attributes:
        epoch: Number of the epoch, from 1.
        attempt: Number of the attempt that trained it, from 1.
        metrics: Metrics by name.
        epoch_seconds: Duration of training and evaluation in seconds.
        time: Unix time in seconds at which the epoch was recorded.
    """

    epoch: int
    attempt: int
    metrics: dict[str, float]
    epoch_seconds: float
    time: float


@dataclass(frozen=True)
class Outcome:
    """Outcome of a run.

    Attributes:
        state: ``finished`` after the last epoch, ``diverged`` on a NaN or infinite value, ``failed`` on an error.
        attempt: Number of the attempt that ended, from 1.
        epoch: Number of finished epochs.
        metrics: Metrics of the last epoch.
        error: Error message, one line.
        error_kind: Class of the error, which decides about a retry.
    """

    state: State
    attempt: int
    epoch: int
    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    error_kind: str | None = None


class RunDirectory:
    """Reads and writes the files of one run in a folder that driver and workers share.

    Args:
        path: Folder of the run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.predictions = path / predictions.FILE_NAME
        self.validation_predictions = path / predictions.VALIDATION_FILE_NAME
        self._metrics = path / "metrics.jsonl"
        self._outcome = path / "outcome.json"
        self._source = path / "taken_over.json"
        self._saved = path / "saved.json"

    @property
    def all_predictions(self) -> tuple[Path, Path]:
        """Paths of the prediction files: validation, then test."""
        return self.validation_predictions, self.predictions

    def restore(self) -> None:
        """Fetches the files of earlier attempts; does nothing in a shared folder."""

    def discard(self) -> None:
        """Removes the worker's local files; does nothing in a shared folder."""

    def publish_checkpoint(self, path: Path) -> None:
        """Shares a complete checkpoint and its checksum; does nothing in a shared folder."""

    def hang_report(self, attempt: int) -> Path:
        """Returns the path of the stack traces of an attempt whose process was killed because it hung."""
        return self.path / f"hang_{attempt}.txt"

    def begin_attempt(self, attempt: int, after_epoch: int) -> None:
        """Records that ``attempt`` resumes after ``after_epoch``; earlier lines of later epochs no longer count."""
        self._append({"attempt": attempt, "after_epoch": after_epoch})

    def is_superseded(self, attempt: int) -> bool:
        """Returns whether a later attempt has begun."""
        return any(line["attempt"] > attempt for line in read_json_lines(self._metrics))

    def append_epoch(self, row: EpochRow) -> None:
        """Appends a finished epoch and syncs the file.

        Raises:
            SupersededError: A later attempt has begun.
        """
        self._refuse_late(row.attempt)
        self._append(asdict(row))

    def epochs(self) -> list[EpochRow]:
        """Returns the epochs that count, in order, up to the first damaged line."""
        rows: dict[int, EpochRow] = {}
        current = 0
        for line in read_json_lines(self._metrics):
            attempt = line["attempt"]
            if attempt < current:
                continue
            current = attempt
            if "after_epoch" in line:
                rows = {epoch: row for epoch, row in rows.items() if epoch <= line["after_epoch"]}
            else:
                rows[line["epoch"]] = EpochRow(**line)
        return [rows[epoch] for position, epoch in enumerate(sorted(rows), start=1) if epoch == position]

    def settled_epochs(self) -> list[EpochRow]:
        """Returns the epochs that are never repeated: all of a finished run, else those covered by a checkpoint."""
        rows, outcome = self.epochs(), self.outcome()
        if outcome is not None and outcome.state == "finished":
            return rows
        return rows[: max(newest_epoch(self.checkpoints, at_most=len(rows)), self._saved_elsewhere(len(rows)))]

    def log(self) -> list[dict[str, Any]]:
        """Returns all intact lines, including those that no longer count."""
        return list(read_json_lines(self._metrics))

    def merge_log(self, lines: Sequence[dict[str, Any]], saved_epoch: int) -> None:
        """Merges log lines that a worker left in an object store, and records its newest checkpoint there.

        Args:
            lines: New lines, in log order.
            saved_epoch: Epoch of the worker's newest checkpoint in the store; 0 if there is none.
        """
        if lines:
            in_order = sorted([*self.log(), *lines], key=lambda line: (line["attempt"], line.get("epoch", 0)))
            write_atomic(self._metrics, b"".join(seal(line) + b"\n" for line in in_order))
        if saved_epoch and saved_epoch != self._saved_elsewhere(saved_epoch):
            write_atomic(self._saved, seal({"epoch": saved_epoch}))

    def copy_outcome(self, record: dict[str, Any]) -> None:
        """Stores the outcome of an attempt that ended on another machine."""
        write_atomic(self._outcome, seal(record))

    def reuse(self, rows: Sequence[EpochRow], attempt: int, source: str) -> None:
        """Creates this run atomically as a copy of a finished run, without its checkpoints and predictions.

        Args:
            rows: All epochs of the finished run.
            attempt: Attempt to which the epochs are attributed here.
            source: Location of the finished run.

        Raises:
            OSError: The disk is full, or this run has begun.
        """
        staged = RunDirectory(self.path.with_name(f".{self.path.name}.taken"))
        shutil.rmtree(staged.path, ignore_errors=True)
        lines = [{"attempt": attempt, "after_epoch": 0}, *(asdict(replace(row, attempt=attempt)) for row in rows)]
        outcome = Outcome("finished", attempt, rows[-1].epoch, rows[-1].metrics)
        write_atomic(staged._metrics, b"".join(seal(line) + b"\n" for line in lines))
        write_atomic(staged._outcome, seal(asdict(outcome)))
        write_atomic(staged._source, seal({"source": source}))
        faultpoint("reuse: copied, not in place")
        staged.path.rename(self.path)
        sync_directory(self.path.parent)

    def source(self) -> str | None:
        """Returns the location of the reused run; None if this run was trained here."""
        try:
            record = unseal(self._source.read_bytes())
        except FileNotFoundError:
            return None
        return "an unknown source" if record is None else str(record["source"])

    def device_seconds(self) -> float:
        """Returns the seconds spent on all epochs here, including repeated ones; 0 for a reused run."""
        if self._source.exists():
            return 0.0
        return float(sum(line.get("epoch_seconds", 0.0) for line in read_json_lines(self._metrics)))

    def epochs_trained(self) -> int:
        """Returns the number of epochs trained here, including repeated ones; 0 for a reused run."""
        return 0 if self._source.exists() else sum("epoch" in line for line in read_json_lines(self._metrics))

    def write_outcome(self, outcome: Outcome) -> None:
        """Writes the outcome atomically.

        Raises:
            SupersededError: A later attempt has begun.
        """
        self._refuse_late(outcome.attempt)
        write_atomic(self._outcome, seal(asdict(outcome)))

    def outcome(self) -> Outcome | None:
        """Returns the outcome; None if the run has not ended or the file is damaged."""
        try:
            record = unseal(self._outcome.read_bytes())
        except FileNotFoundError:
            return None
        return None if record is None else Outcome(**record)

    def damaged(self) -> list[str]:
        """Returns the names of the run's files that do not match their checksum."""
        saved = [path for path in generations(self.checkpoints) if checksum_of(path).exists()]
        found = [path.name for path in saved if sha256_of(path.read_bytes()) != checksum_of(path).read_text()]
        if self._metrics.exists() and any(map(is_damaged, self._metrics.read_bytes().split(b"\n"))):
            found.append(self._metrics.name)
        found += [path.name for path in (self._outcome, self._source) if path.exists() and _is_changed(path)]
        return found

    def _append(self, record: dict[str, Any]) -> None:
        append_json_line(self._metrics, record)

    def _saved_elsewhere(self, at_most: int) -> int:
        """Returns the epoch of the newest checkpoint in the object store; 0 if unknown or beyond ``at_most``."""
        try:
            record = unseal(self._saved.read_bytes())
        except FileNotFoundError:
            return 0
        epoch = 0 if record is None else int(record["epoch"])
        return epoch if epoch <= at_most else 0

    def _refuse_late(self, attempt: int) -> None:
        if self.is_superseded(attempt):
            raise SupersededError(f"{self.path}: attempt {attempt} stops because a later attempt has begun")

    def delete_checkpoints(self) -> None:
        """Removes all checkpoints of the run."""
        for path in self.checkpoints.glob("*"):
            path.unlink(missing_ok=True)


def _is_changed(path: Path) -> bool:
    return unseal(path.read_bytes()) is None
