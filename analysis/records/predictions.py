"""The predictions that confirmation runs left: logits, features and labels, on the test set and on validation data."""

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


_MOST_KEPT = 2**28  # bytes; a page reads the same logits for six figures and tables
_kept: WeakKeyDictionary[Results, dict[tuple[Path, int], Predictions]] = WeakKeyDictionary()


def path_of(results: Results, trial: int) -> Path:
    """Where a confirmation run leaves its predictions on the test set."""
    return results.folder / "confirm" / str(trial) / FILE_NAME


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
    path = path_of(results, trial).with_name(VALIDATION_FILE_NAME)
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
        return from_table(table)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"{path} does not hold predictions (logits, features, label): {error}") from error


def groups(path: Path) -> tuple[str, ...]:
    """Group of each class of the predictions at ``path``; empty where the classes have no hierarchy.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    return class_groups(result_files.parse(path, ["label"]))


def classes(path: Path) -> tuple[str, ...]:
    """Name of each class of the predictions at ``path``; empty where they were not written.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    return class_names(result_files.parse(path, ["label"]))
