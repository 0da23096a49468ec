"""The predictions that confirmation runs left: logits, features and labels, on the test set and on validation data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from analysis.records import result_files
from analysis.records.result_files import Results, ResultsError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

_MOST_KEPT = 2**28  # bytes; a page reads the same logits for six figures and tables
_kept: WeakKeyDictionary[Results, dict[tuple[Path, int], Predictions]] = WeakKeyDictionary()


class Predictions(NamedTuple):
    """Logits ``[n, classes]`` and features ``[n, width]`` in float32, labels ``[n]``, in the data set's order."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]


def path_of(results: Results, trial: int) -> Path:
    """Where a confirmation run leaves its predictions on the test set."""
    return results.folder / "confirm" / str(trial) / "predictions.parquet"


def of_run(results: Results, trial: int, *, features: bool = False) -> Predictions:
    """Predictions of a confirmation run on the test set; without features they are kept for the next reader.

    Args:
        results: The study.
        trial: Number of the run.
        features: Whether the features are wanted, too; they are most of the file.

    Raises:
        ResultsError: They are missing or damaged.
    """
    path = path_of(results, trial)
    if features or not path.exists():
        return read(path)
    kept, key = _kept.setdefault(results, {}), (path, path.stat().st_mtime_ns)
    if key not in kept:
        found = read(path, features=False)
        if sum(each.logits.nbytes for each in (found, *kept.values())) > _MOST_KEPT:
            return found
        kept[key] = found
    return kept[key]


def of_validation(results: Results, trial: int) -> Predictions | None:
    """Predictions of a confirmation run on its validation split, without features; None where it trained on all data.

    Raises:
        ResultsError: They are damaged.
    """
    path = path_of(results, trial).with_name("validation_predictions.parquet")
    return read(path, features=False) if path.exists() else None


def read(path: Path, *, features: bool = True) -> Predictions:
    """Reads the predictions that a run left.

    Args:
        path: The file.
        features: Whether to read the features; without them the matrix has no columns.

    Raises:
        ResultsError: The file is missing, damaged, or lacks ``logits``, ``features`` (fixed-size lists) or ``label``.
    """
    table = result_files.parse(path, None if features else ["label", "logits"])
    try:
        labels = table["label"].to_numpy().astype(np.int64, casting="safe")
        found = _matrix(table["features"]) if features else np.empty((len(labels), 0), np.float32)
        return Predictions(_matrix(table["logits"]), found, labels)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"{path} does not hold predictions (logits, features, label): {error}") from error


def groups(path: Path) -> tuple[str, ...]:
    """Group of each class of the predictions at ``path``; empty where the classes have no hierarchy.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    return _names(path, b"groups")


def classes(path: Path) -> tuple[str, ...]:
    """Name of each class of the predictions at ``path``; empty where they were not written.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    return _names(path, b"classes")


def _names(path: Path, key: bytes) -> tuple[str, ...]:
    metadata = result_files.parse(path, ["label"]).schema.metadata or {}
    return tuple(json.loads(metadata.get(key, b"[]")))


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    if column.null_count:
        raise ValueError("a row is empty")
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(len(column), column.type.list_size)
