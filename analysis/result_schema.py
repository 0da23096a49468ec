"""What the result files of a study hold: their columns, and the version of their format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
PHASES = ("search", "controls", "confirm")

_KEYS = {"study": pa.string(), "phase": pa.string(), "trial": pa.int64()}
_TRIALS = _KEYS | {
    "state": pa.string(),
    "dataset": pa.string(),
    "model": pa.string(),
    "method": pa.string(),
    "seed": pa.int64(),
    "epochs": pa.int64(),
    "duration_seconds": pa.float64(),
    "device_seconds": pa.float64(),
    "attempts": pa.int64(),
    "mlflow_run_id": pa.string(),
    "error": pa.string(),
}
TABLES: dict[str, dict[str, pa.DataType]] = {
    "trials": _TRIALS,
    "epochs": _KEYS | {"epoch": pa.int64(), "attempt": pa.int64(), "epoch_seconds": pa.float64()},
    "confirmations": _TRIALS | {"arm": pa.string(), "trained_on": pa.string(), "best_test/top1_error": pa.float64()},
}
REQUIRED = {"study", "phase", "trial", "epoch", "arm", "seed"}


class ResultsError(Exception):
    """Result files are missing, damaged, of another version, or do not hold what is asked for."""

    exit_code = 65


def mistake(table: pa.Table, name: str) -> str | None:
    """Why a table of our format and version cannot be the result table ``name``; None where it can."""
    kinds = {field.name: field.type for field in table.schema}
    for column, kind in TABLES[name].items():
        if kinds.get(column) != kind:
            return f"it has no column {column!r} of the type {kind}"
    for column in REQUIRED & kinds.keys():
        if table[column].null_count:
            return f"a row has no {column}"
    strange = sorted(set(table["phase"].to_pylist()) - set(PHASES))
    return f"it has rows of the unknown phase {strange[0]!r}" if strange else None


def check_version(path: Path, version: str) -> None:
    """Lets pass what this version of the package reads.

    Raises:
        ResultsError: The file is newer, or of no version; the message says what to do.
    """
    if version == str(SCHEMA):
        return
    if version.isdecimal() and int(version) > SCHEMA:
        raise ResultsError(f"{path} has schema {version}, this version reads {SCHEMA}; update cs-kd-study")
    raise ResultsError(f"{path} has the unknown schema {version!r}; rebuild it with `cskd sync` on the study's folder")
