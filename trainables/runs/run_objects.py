"""The objects of one run in a store, a folder for each attempt, so that nothing of a later one is ever overwritten.

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
PASSED_OVER = "passed_over"  # in the line that begins an attempt: damaged checkpoints
READING = "reading_"
LINE = "epoch_"
READERS = 8  # requests at once: an object is small, and its way is long


class Saved(NamedTuple):
    """A finished checkpoint in the store: of which attempt, after how many epochs."""

    attempt: int
    epoch: int

    def __str__(self) -> str:
        return f"the checkpoint of attempt {self.attempt}, epoch {self.epoch}"


class RunObjects:
    """Reads and writes the objects of one run.

    Args:
        store: At the run's own place.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def write_line(self, record: dict[str, Any]) -> None:
        """Adds a line of the log."""
        name = BEGUN if "after_epoch" in record else f"{LINE}{record['epoch']:06d}.json"
        self.store.write(_named(record["attempt"], name), seal(record))

    def write_outcome(self, record: dict[str, Any]) -> None:
        """Says how an attempt ended."""
        self.store.write(_named(record["attempt"], OUTCOME), seal(record))

    def write_reading(self, record: dict[str, Any]) -> None:
        """Adds a line of the test ledger."""
        self.store.write(_named(record["attempt"], f"{READING}{secrets.token_hex(8)}.json"), seal(record))

    def upload(self, attempt: int, path: Path) -> None:
        """Adds a file of an attempt under its own name."""
        self.store.upload(_named(attempt, path.name), path)

    def is_followed(self, attempt: int) -> bool:
        """Whether a later attempt has begun."""
        found = {name.partition("/")[0] for name in self.store.names()}  # deep: Google's stores know no folders
        return any(name.isdigit() and int(name) > attempt for name in found)

    def lines(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """The lines of the log that are among ``names`` and whole, in the order of a log."""
        wanted = sorted(name for name in names if _is_line(name))
        found = [record for record in self._records(wanted) if record is not None]
        return sorted(found, key=lambda record: (record["attempt"], record.get("epoch", 0)))

    def readings(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """The readings of the test set that are among ``names``, in order."""
        found = self._records(sorted(name for name in names if name.partition("/")[2].startswith(READING)))
        return sorted((record for record in found if record is not None), key=lambda record: record["time"])

    def outcome(self, names: Iterable[str]) -> dict[str, Any] | None:
        """How the latest attempt that ended did."""
        wanted = sorted((name for name in names if name.endswith(f"/{OUTCOME}")), reverse=True)
        return next((record for record in self._records(wanted[:1]) if record is not None), None)

    def fetch_checkpoint(self, saved: Saved, directory: Path) -> bool:
        """Brings a checkpoint into a folder, its checksum last; says whether it is whole."""
        path, name = path_of(directory, saved.epoch), _checkpoint(saved)
        try:
            self.store.download(name, path)
            expected = self.store.read(f"{name}.sha256")
        except FileNotFoundError:  # somebody removes it at this moment
            return False
        if sha256_of(path.read_bytes()).encode() != expected:
            path.unlink()
            return False
        checksum_of(path).write_bytes(expected)
        return True

    def is_whole(self, saved: Saved) -> bool:
        """Whether a checkpoint matches its checksum."""
        name = _checkpoint(saved)
        try:
            return sha256_of(self.store.read(name)).encode() == self.store.read(f"{name}.sha256")
        except FileNotFoundError:
            return False

    def delete_checkpoint(self, saved: Saved) -> None:
        """Removes a checkpoint, its checksum first: one without is unfinished."""
        self.store.delete(f"{_checkpoint(saved)}.sha256")
        self.store.delete(_checkpoint(saved))

    def _records(self, names: list[str]) -> list[dict[str, Any] | None]:
        with ThreadPoolExecutor(READERS) as pool:
            return [unseal(content) for content in pool.map(self.store.read, names)]


def missing_lines(names: Iterable[str], log: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the lines that a log does not have."""
    known = {_named(line["attempt"], _line_name(line)) for line in log}
    return [name for name in names if _is_line(name) and name not in known]


def checkpoints(names: Iterable[str]) -> list[Saved]:
    """The finished checkpoints among ``names``, in the order in which they were written."""
    finished = sorted(name.removesuffix(".pt.sha256") for name in names if name.endswith(".pt.sha256"))
    return [Saved(int(name[:4]), int(name[-6:])) for name in finished]


def is_of_checkpoint(name: str) -> bool:
    """Whether an object is a checkpoint, or the checksum of one."""
    return name.endswith((".pt", ".pt.sha256"))


def usable(saved: Iterable[Saved], rows: Iterable[EpochRow]) -> list[Saved]:
    """Those from which a run can go on, newest first: of epochs that count, and of the attempts that trained these."""
    trained = {(row.attempt, row.epoch) for row in rows}
    return sorted((each for each in saved if each in trained), key=lambda each: each.epoch, reverse=True)


def predictions_of(files: RunDirectory, names: Iterable[str], rows: list[EpochRow]) -> list[tuple[str, Path]]:
    """Names of the predictions of a run's last epoch, each with the file that it becomes."""
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
