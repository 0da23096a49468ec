"""The durable state of one run: its epochs, its outcome, its checkpoints and its predictions.

``metrics.jsonl`` only grows. A line without an epoch begins an attempt and says after which epoch it goes on, so that
readers know which earlier lines it replaces; a line of an attempt that another has followed is late and ignored.

A worker may outlive its driver by seconds and meet its successor here, so each write asks first whether a later attempt
has begun.
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
    """One finished epoch (1-based): its metrics, the attempt that trained it, seconds of training and evaluation."""

    epoch: int
    attempt: int
    metrics: dict[str, float]
    epoch_seconds: float
    time: float


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: ``finished`` after the last epoch, ``diverged`` on a NaN or infinite value, ``failed`` on an error.
        epoch: Finished epochs.
        metrics: Of the last epoch.
        error: What failed, one line.
        error_kind: Class of the error, by which a retry is decided.
    """

    state: State
    attempt: int
    epoch: int
    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    error_kind: str | None = None


class RunDirectory:
    """Reads and writes the files of one run below ``path``, where driver and workers share it."""

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
        """The files that the last epoch's predictions may be in."""
        return self.validation_predictions, self.predictions

    def restore(self) -> None:
        """Brings what earlier attempts have left: here it lies already."""

    def discard(self) -> None:
        """The worker is done with the folder, which is the study's."""

    def publish_checkpoint(self, path: Path) -> None:
        """A checkpoint and its checksum are whole; in a shared folder everybody sees them."""

    def hang_report(self, attempt: int) -> Path:
        """Where each thread of an attempt stood when its process was ended because it hung."""
        return self.path / f"hang_{attempt}.txt"

    def begin_attempt(self, attempt: int, after_epoch: int) -> None:
        """Notes that ``attempt`` goes on after ``after_epoch``; lines of later epochs no longer count."""
        self._append({"attempt": attempt, "after_epoch": after_epoch})

    def is_superseded(self, attempt: int) -> bool:
        """Whether a later attempt has begun."""
        return any(line["attempt"] > attempt for line in read_json_lines(self._metrics))

    def append_epoch(self, row: EpochRow) -> None:
        """Adds a finished epoch, durably.

        Raises:
            SupersededError: A later attempt has begun.
        """
        self._refuse_late(row.attempt)
        self._append(asdict(row))

    def epochs(self) -> list[EpochRow]:
        """The epochs that count, each once, in order, up to the first whose line is damaged."""
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
        return [rows[epoch] for place, epoch in enumerate(sorted(rows), start=1) if epoch == place]

    def settled_epochs(self) -> list[EpochRow]:
        """The epochs that no later attempt trains again: all of a finished run, else those that a checkpoint holds."""
        rows, outcome = self.epochs(), self.outcome()
        if outcome is not None and outcome.state == "finished":
            return rows
        return rows[: max(newest_epoch(self.checkpoints, at_most=len(rows)), self._saved_elsewhere(len(rows)))]

    def log(self) -> list[dict[str, Any]]:
        """All whole lines, those that do not count any more, too."""
        return list(read_json_lines(self._metrics))

    def take_in(self, lines: Sequence[dict[str, Any]], saved_epoch: int) -> None:
        """Adds lines of the log that a worker has left elsewhere, and notes of which epoch it keeps a checkpoint there.

        Args:
            lines: In the order of a log; those that are here already are not among them.
            saved_epoch: 0 where there is none.
        """
        if lines:
            in_order = sorted([*self.log(), *lines], key=lambda line: (line["attempt"], line.get("epoch", 0)))
            write_atomic(self._metrics, b"".join(seal(line) + b"\n" for line in in_order))
        if saved_epoch and saved_epoch != self._saved_elsewhere(saved_epoch):
            write_atomic(self._saved, seal({"epoch": saved_epoch}))

    def take_outcome(self, record: dict[str, Any]) -> None:
        """Takes over how an attempt elsewhere ended."""
        write_atomic(self._outcome, seal(record))

    def take_over(self, rows: Sequence[EpochRow], attempt: int, source: str) -> None:
        """Becomes a copy of a run that finished elsewhere, all at once; its checkpoints and predictions stay there.

        Args:
            rows: All its epochs.
            attempt: In whose name they stand here.
            source: Where it was trained.

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
        """Where the run was trained that this one is a copy of; None of one that was trained here."""
        try:
            record = unseal(self._source.read_bytes())
        except FileNotFoundError:
            return None
        return "a source that is no longer known" if record is None else str(record["source"])

    def device_seconds(self) -> float:
        """Seconds spent here on all epochs, those trained twice included; 0 of a run that was taken over."""
        if self._source.exists():
            return 0.0
        return float(sum(line.get("epoch_seconds", 0.0) for line in read_json_lines(self._metrics)))

    def epochs_trained(self) -> int:
        """Epochs trained here in all attempts, those trained twice counted twice."""
        return 0 if self._source.exists() else sum("epoch" in line for line in read_json_lines(self._metrics))

    def write_outcome(self, outcome: Outcome) -> None:
        """Writes how the run ended, atomically.

        Raises:
            SupersededError: A later attempt has begun.
        """
        self._refuse_late(outcome.attempt)
        write_atomic(self._outcome, seal(asdict(outcome)))

    def outcome(self) -> Outcome | None:
        """How the run ended; None while it has not, or when the file is damaged."""
        try:
            record = unseal(self._outcome.read_bytes())
        except FileNotFoundError:
            return None
        return None if record is None else Outcome(**record)

    def damaged(self) -> list[str]:
        """What has changed since it was written: names of checkpoints and of its own files."""
        saved = [path for path in generations(self.checkpoints) if checksum_of(path).exists()]
        found = [path.name for path in saved if sha256_of(path.read_bytes()) != checksum_of(path).read_text()]
        if self._metrics.exists() and any(map(is_damaged, self._metrics.read_bytes().split(b"\n"))):
            found.append(self._metrics.name)
        found += [path.name for path in (self._outcome, self._source) if path.exists() and _is_changed(path)]
        return found

    def _append(self, record: dict[str, Any]) -> None:
        append_json_line(self._metrics, record)

    def _saved_elsewhere(self, at_most: int) -> int:
        """Epoch of the newest checkpoint that a worker keeps elsewhere; 0 where none is known, or none that counts."""
        try:
            record = unseal(self._saved.read_bytes())
        except FileNotFoundError:
            return 0
        epoch = 0 if record is None else int(record["epoch"])
        return epoch if epoch <= at_most else 0

    def _refuse_late(self, attempt: int) -> None:
        if self.is_superseded(attempt):
            raise SupersededError(f"{self.path}: attempt {attempt} has been followed by another and stops")

    def delete_checkpoints(self) -> None:
        """Removes the checkpoints, which a finished search trial no longer needs."""
        for path in self.checkpoints.glob("*"):
            path.unlink(missing_ok=True)


def _is_changed(path: Path) -> bool:
    return unseal(path.read_bytes()) is None
