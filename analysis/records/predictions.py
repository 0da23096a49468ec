"""Reads the predictions of confirmation runs: logits, features and labels, on the test set and on validation data."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from analysis.records import result_files
from analysis.records.result_files import Results, ResultsError
from trainables.runs.predictions import (
    FILE_NAME,
    VALIDATION_FILE_NAME,
    Predictions,
    class_groups,
    class_names,
    from_table,
)

if TYPE_CHECKING:
    from pathlib import Path


_CACHE_BYTES = 2**28  # a report reads the same logits for six figures and tables
_cache: WeakKeyDictionary[Results, dict[tuple[Path, int], Predictions]] = WeakKeyDictionary()


def path_of(results: Results, trial: int) -> Path:
    """Returns the path of a confirmation run's predictions on the test set."""
    return results.folder / "confirm" / str(trial) / FILE_NAME


def of_run(results: Results, trial: int, *, features: bool = False) -> Predictions:
    """Reads the predictions of a confirmation run on the test set; without features they are cached.

    Args:
        results: Results of the study.
        trial: Number of the run.
        features: Whether to read the features too; they are most of the file.

    Raises:
        ResultsError: The predictions are missing or damaged.
    """
    path = path_of(results, trial)
    if features or not path.exists():
        return read(path)
    cached, key = _cache.setdefault(results, {}), (path, path.stat().st_mtime_ns)
    if key not in cached:
        found = read(path, features=False)
        if sum(each.logits.nbytes for each in (found, *cached.values())) > _CACHE_BYTES:
            return found
        cached[key] = found
    return cached[key]


def of_validation(results: Results, trial: int) -> Predictions | None:
    """Reads a confirmation run's predictions on its validation split, without features; None if it has none.

    A run that trained on all data has none.

    Raises:
        ResultsError: The predictions are damaged.
    """
    path = path_of(results, trial).with_name(VALIDATION_FILE_NAME)
    return read(path, features=False) if path.exists() else None


def read(path: Path, *, features: bool = True) -> Predictions:
    """Reads a file of predictions.

    Args:
        path: Path of the file.
        features: Whether to read the features; without them the matrix of features has no columns.

    Raises:
        ResultsError: The file is missing or damaged, or lacks ``logits`` or ``features`` (fixed-size lists) or
            ``label``.
    """
    table = result_files.parse(path, None if features else ["label", "logits"])
    try:
        return from_table(table, features=features)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"{path} does not hold predictions (logits, features, label): {error}") from error


def groups(path: Path) -> tuple[str, ...]:
    """Reads the group of each class from a file of predictions; empty if the classes have no groups.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    return class_groups(result_files.parse(path, ["label"]))


def classes(path: Path) -> tuple[str, ...]:
    """Reads the name of each class from a file of predictions; empty if no names were saved.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    return class_names(result_files.parse(path, ["label"]))
