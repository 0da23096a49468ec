"""Objects of one run in a store; each attempt has its own folder, so that it cannot overwrite a later attempt.

``0001/begun.json``, ``0001/epoch_000003.json`` (lines of the log), ``0001/epoch_000003.pt`` with its ``.sha256``,
``0001/predictions.parquet``, ``0001/reading_….json`` (lines of the test ledger), ``0001/outcome.json``.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from trainables.files.durable import sha256_of
from trainables.files.sealed_json import seal, unseal
from trainables.runs.checkpoint_names import checksum_of, path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from trainables.files.object_store import ObjectStore
    from trainables.runs.run_directory import EpochRow, RunDirectory

BEGUN = "begun.json"
OUTCOME = "outcome.json"
PASSED_OVER = "passed_over"  # key for skipped damaged checkpoints in the line that begins an attempt
READING = "reading_"
LINE = "epoch_"
READERS = 8  # concurrent requests; latency dominates for small objects


class Saved(NamedTuple):
    """Complete checkpoint in the store.

    Attributes:
        attempt: Number of the attempt that wrote it, from 1.
        epoch: Number of finished epochs.
    """

    attempt: int
    epoch: int

    def __str__(self) -> str:
        return f"the checkpoint of attempt {self.attempt}, epoch {self.epoch}"


class RunObjects:
    """Reads and writes the objects of one run.

    Args:
        store: Object store at the URI of the run.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def write_line(self, record: dict[str, Any]) -> None:
        """Uploads a line of the log."""
        name = BEGUN if "after_epoch" in record else f"{LINE}{record['epoch']:06d}.json"
        self.store.write(_named(record["attempt"], name), seal(record))

    def write_outcome(self, record: dict[str, Any]) -> None:
        """Uploads the outcome of an attempt."""
        self.store.write(_named(record["attempt"], OUTCOME), seal(record))

    def write_reading(self, record: dict[str, Any]) -> None:
        """Uploads a line of the test ledger."""
        self.store.write(_named(record["attempt"], f"{READING}{secrets.token_hex(8)}.json"), seal(record))

    def upload(self, attempt: int, path: Path) -> None:
        """Uploads a file of an attempt under its file name."""
        self.store.upload(_named(attempt, path.name), path)

    def is_superseded(self, attempt: int) -> bool:
        """Returns whether a later attempt has begun."""
        found = {name.partition("/")[0] for name in self.store.names()}  # recursive: Google's stores have no folders
        return any(name.isdigit() and int(name) > attempt for name in found)

    def lines(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Returns the intact log lines among ``names``, in log order."""
        wanted = sorted(name for name in names if _is_line(name))
        found = [record for record in self._records(wanted) if record is not None]
        return sorted(found, key=lambda record: (record["attempt"], record.get("epoch", 0)))

    def readings(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Returns the lines of the test ledger among ``names``, by time."""
        found = self._records(sorted(name for name in names if name.partition("/")[2].startswith(READING)))
        return sorted((record for record in found if record is not None), key=lambda record: record["time"])

    def outcome(self, names: Iterable[str]) -> dict[str, Any] | None:
        """Returns the outcome of the latest attempt that ended; None if there is none or it is damaged."""
        wanted = sorted((name for name in names if name.endswith(f"/{OUTCOME}")), reverse=True)
        return next((record for record in self._records(wanted[:1]) if record is not None), None)

    def fetch_checkpoint(self, saved: Saved, directory: Path) -> bool:
        """Downloads a checkpoint, its checksum last; returns False and leaves none if it is damaged or removed."""
        path, name = path_of(directory, saved.epoch), _checkpoint(saved)
        try:
            self.store.download(name, path)
            expected = self.store.read(f"{name}.sha256")
        except FileNotFoundError:  # another process has just removed it
            return False
        if sha256_of(path.read_bytes()).encode() != expected:
            path.unlink()
            return False
        checksum_of(path).write_bytes(expected)
        return True

    def is_whole(self, saved: Saved) -> bool:
        """Returns whether a checkpoint matches its checksum."""
        name = _checkpoint(saved)
        try:
            return sha256_of(self.store.read(name)).encode() == self.store.read(f"{name}.sha256")
        except FileNotFoundError:
            return False

    def delete_checkpoint(self, saved: Saved) -> None:
        """Removes a checkpoint; its checksum first, so that a kill leaves an incomplete checkpoint at most."""
        self.store.delete(f"{_checkpoint(saved)}.sha256")
        self.store.delete(_checkpoint(saved))

    def _records(self, names: list[str]) -> list[dict[str, Any] | None]:
        with ThreadPoolExecutor(READERS) as pool:
            return [unseal(content) for content in pool.map(self.store.read, names)]


def missing_lines(names: Iterable[str], log: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the names of log lines that are not in ``log``."""
    known = {_named(line["attempt"], _line_name(line)) for line in log}
    return [name for name in names if _is_line(name) and name not in known]


def checkpoints(names: Iterable[str]) -> list[Saved]:
    """Returns the complete checkpoints among ``names``, by attempt and epoch."""
    finished = sorted(name.removesuffix(".pt.sha256") for name in names if name.endswith(".pt.sha256"))
    return [Saved(int(name[:4]), int(name[-6:])) for name in finished]


def is_of_checkpoint(name: str) -> bool:
    """Returns whether an object is a checkpoint or its checksum."""
    return name.endswith((".pt", ".pt.sha256"))


def usable(saved: Iterable[Saved], rows: Iterable[EpochRow]) -> list[Saved]:
    """Returns the checkpoints from which a run can resume, newest first.

    A checkpoint is usable if the log counts its epoch and attributes it to the same attempt.
    """
    trained = {(row.attempt, row.epoch) for row in rows}
    return sorted((each for each in saved if each in trained), key=lambda each: each.epoch, reverse=True)


def predictions_of(files: RunDirectory, names: Iterable[str], rows: list[EpochRow]) -> list[tuple[str, Path]]:
    """Returns the object names of the last epoch's predictions, each with its local path."""
    if not rows:
        return []
    wanted = [(_named(rows[-1].attempt, path.name), path) for path in files.all_predictions]
    return [(name, path) for name, path in wanted if name in set(names)]


def _named(attempt: int, name: str) -> str:
    return f"{attempt:04d}/{name}"


def _checkpoint(saved: Saved) -> str:
    return _named(saved.attempt, f"epoch_{saved.epoch:06d}.pt")


def _line_name(record: Mapping[str, Any]) -> str:
    return BEGUN if "after_epoch" in record else f"{LINE}{record['epoch']:06d}.json"


def _is_line(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last == BEGUN or (last.startswith(LINE) and last.endswith(".json"))
