"""Reads and writes the result files of a study.

Parquet's page checksums cover the values; a digest in the metadata covers the rest: column names, types and the number
of rows. Files are replaced atomically, so a reader never sees a partial file.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainables.files.durable import digest_of, write_atomic
from trainables.files.faultpoints import faultpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pandas as pd


SCHEMA = 1
PHASES = ("search", "controls", "race", "confirm")
EXPLORING = ("search", "controls")  # phases in which a configuration has one run, not one per seed

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
_TABLES: dict[str, dict[str, pa.DataType]] = {
    "trials": _TRIALS,
    "epochs": _KEYS | {"epoch": pa.int64(), "attempt": pa.int64(), "epoch_seconds": pa.float64()},
    "confirmations": _TRIALS | {"arm": pa.string(), "trained_on": pa.string(), "best_test/top1_error": pa.float64()},
}
_ADDED = {"trials": {"reused_from": pa.string()}}  # columns that files of this schema may lack: read as empty
_REQUIRED = {"study", "phase", "trial", "epoch", "arm", "seed"}


class ResultsError(Exception):
    """Result files are missing, damaged or of another version, or lack what was requested."""

    exit_code = 65


@dataclass(frozen=True, eq=False)
class Results:
    """Content of a study's result files; compared by identity.

    Attributes:
        trials: One row per search trial and control.
        epochs: One row per (phase, trial, epoch).
        confirmations: One row per fresh-seed run of an arm.
        study: Content of ``study.json``.
        folder: Study directory, which holds the predictions of the runs.
    """

    trials: pd.DataFrame
    epochs: pd.DataFrame
    confirmations: pd.DataFrame
    study: dict[str, Any]
    folder: Path


def write(
    directory: Path,
    *,
    trials: list[dict[str, Any]],
    epochs: list[dict[str, Any]],
    confirmations: list[dict[str, Any]],
    study: dict[str, Any],
) -> None:
    """Writes the result files into ``directory``, replacing earlier ones.

    Args:
        directory: The study's ``results`` folder; created if it is missing.
        trials: Rows of search trials and controls. Besides the fixed columns, a row may have columns with a slash in
            their names: ``params/<name>`` (number, text or bool) and numbers.
        epochs: Rows of epochs.
        confirmations: Rows of fresh-seed runs.
        study: Content of ``study.json``; JSON-serialisable.

    Raises:
        ValueError: Two rows are of the same trial or epoch, or a column is unknown.
        OSError: The disk is full or the directory not writable.
    """
    rows = {"trials": trials, "epochs": epochs, "confirmations": confirmations}
    contents = {f"{name}.parquet": _parquet(name, rows[name]) for name in _TABLES}
    plain = json.loads(json.dumps(study | {"schema": SCHEMA}))
    contents["study.json"] = json.dumps(plain | {"checksum": digest_of(plain)}, indent=2).encode()
    for name, content in contents.items():
        write_atomic(directory / name, content)
        faultpoint("records: a result file written")


def read(directory: Path) -> Results:
    """Reads the result files of ``directory``.

    Raises:
        ResultsError: A file is missing, damaged, of a newer schema or no result file; the message says what to do.
    """
    study = _read_study(directory / "study.json")
    tables = {name: _read_table(directory / f"{name}.parquet", name).to_pandas() for name in _TABLES}
    _check_numbers(directory, tables["trials"], study)
    return Results(**tables, study=study, folder=directory.parent)


def _check_numbers(directory: Path, trials: pd.DataFrame, study: Mapping[str, Any]) -> None:
    """Refuses trials in which a parameter that is searched over a range has a value that is not a number."""
    from pandas import to_numeric  # imported here, because the command line must start quickly

    distributions = study.get("distributions")
    for name, words in distributions.items() if isinstance(distributions, dict) else ():
        column = f"params/{name}"
        if not isinstance(words, dict) or "low" not in words or column not in trials:
            continue
        values = trials[column].dropna()
        if to_numeric(values, errors="coerce").isna().any():
            raise ResultsError(f"{directory / 'trials.parquet'}: {column} has a value that is not a number")


def parse(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Reads a Parquet file, or some of its columns, and verifies the page checksums.

    Raises:
        ResultsError: The file is missing or damaged.
    """
    content = _content(path)
    try:
        table = pq.read_table(pa.BufferReader(content), columns=columns, page_checksum_verification=True)
        return table.select(table.column_names)  # raises if a name, which no checksum covers, is not UTF-8
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError) as error:
        raise _damaged(path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error


def _parquet(name: str, rows: list[dict[str, Any]]) -> bytes:
    unique = ("phase", "trial", "epoch") if name == "epochs" else ("phase", "trial")
    _refuse_duplicates(name, unique, rows)
    schema = _schema(name, rows)
    columns = [_column(field, [row.get(field.name) for row in rows]) for field in schema]
    table = pa.Table.from_arrays(columns, schema=schema)
    marks = {"cskd.table": name, "cskd.schema": str(SCHEMA), "cskd.shape": _shape_digest(table)}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(marks), sink, write_page_checksum=True, compression="zstd")
    return bytes(sink.getvalue())


def _refuse_duplicates(name: str, unique: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    counts = Counter(tuple(row.get(key) for key in unique) for row in rows)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        where = ", ".join(f"{key} {value}" for key, value in zip(unique, twice[0], strict=True))
        raise ValueError(f"{name}: more than one row of {where}")


def _schema(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Schema:
    fixed = _TABLES[name] | _ADDED.get(name, {})
    free: dict[str, list[Any]] = {}
    for row in rows:
        for column in row.keys() - fixed.keys():
            free.setdefault(column, []).append(row[column])
    unknown = sorted(column for column in free if "/" not in column)
    if unknown:
        raise ValueError(f"{name}: unknown column {unknown[0]!r}")
    types = fixed | {column: _free_type(column, free[column]) for column in sorted(free)}
    return pa.schema([pa.field(column, kind, nullable=column not in _REQUIRED) for column, kind in types.items()])


def _free_type(column: str, values: Iterable[Any]) -> pa.DataType:
    """Returns float; for a parameter, the common type of its values, or text if they are mixed."""
    kinds = {type(value) for value in values if value is not None}
    if not column.startswith("params/") or not kinds:
        return pa.float64()
    if len(kinds) == 1 and kinds <= {bool, int}:
        return pa.bool_() if bool in kinds else pa.int64()
    return pa.float64() if bool not in kinds and all(issubclass(k, int | float) for k in kinds) else pa.string()


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    """Returns a column; a lone surrogate, as from an undecodable byte in an error message, is escaped."""
    if field.type == pa.string():
        values = [None if value is None else str(value).encode("utf-8", "backslashreplace") for value in values]
    return pa.array(values, field.type)


def _shape_digest(table: pa.Table) -> str:
    return digest_of([table.num_rows, [[field.name, str(field.type), field.nullable] for field in table.schema]])


def _read_table(path: Path, name: str) -> pa.Table:
    table = parse(path)
    marks = table.schema.metadata or {}
    if marks.get(b"cskd.table") != name.encode():
        raise ResultsError(f"{path} is not a result file of cs-kd-study ({name}); point to a study's results folder")
    _check_version(path, marks.get(b"cskd.schema", b"").decode(errors="replace"))
    if marks.get(b"cskd.shape") != _shape_digest(table).encode():
        raise _damaged(path, "its columns or its number of rows differ from what was written")
    if (error := _schema_error(table, name)) is not None:
        raise _damaged(path, error)
    for column, kind in _ADDED.get(name, {}).items():
        if column not in table.column_names:
            table = table.append_column(column, pa.nulls(table.num_rows, kind))
    return table


def _schema_error(table: pa.Table, name: str) -> str | None:
    """Returns why a table of this schema version is not a valid result table ``name``; None if it is."""
    kinds = {field.name: field.type for field in table.schema}
    for column, kind in _TABLES[name].items():
        if kinds.get(column) != kind:
            return f"it has no column {column!r} of the type {kind}"
    for column in _REQUIRED & kinds.keys():
        if table[column].null_count:
            return f"a row has no {column}"
    unknown = sorted(set(table["phase"].to_pylist()) - set(PHASES))
    return f"it has rows of the unknown phase {unknown[0]!r}" if unknown else None


def _read_study(path: Path) -> dict[str, Any]:
    content = _content(path)
    try:
        study = json.loads(content)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(study, dict) or "schema" not in study:
        raise ResultsError(f"{path} is not a result file of cs-kd-study; point to a study's results folder")
    _check_version(path, str(study["schema"]))
    if study.pop("checksum", None) != digest_of(study):
        raise _damaged(path, "its checksum does not match")
    return study


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if not path.parent.parent.is_dir():
            raise ResultsError(f"{path.parent.parent}: no such study directory") from None
        raise ResultsError(f"{path} does not exist; `cskd sync` on the study directory writes it") from None


def _check_version(path: Path, version: str) -> None:
    if version == str(SCHEMA):
        return
    if version.isdecimal() and int(version) > SCHEMA:
        raise ResultsError(f"{path} has schema {version}, this version reads {SCHEMA}; update cs-kd-study")
    raise ResultsError(f"{path} has the unknown schema {version!r}; rebuild it with `cskd sync` on the study directory")


def _damaged(path: Path, why: str) -> ResultsError:
    return ResultsError(f"{path} is damaged ({why}); rebuild it with `cskd sync` on the study directory")
