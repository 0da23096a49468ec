"""Prediction files: logits, features and labels of a run as Parquet, from which every metric can be recomputed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainables.files.durable import replacing

FILE_NAME = "predictions.parquet"
VALIDATION_FILE_NAME = "validation_predictions.parquet"
ROWS = 4096  # rows per group: 50 MB with 1,000 logits and 2,048 features


class Predictions(NamedTuple):
    """Logits ``[n, classes]`` and features ``[n, width]`` in float32, labels ``[n]``, in the data set's order."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]


def write(path: Path, predictions: Predictions, classes: tuple[str, ...], groups: tuple[str, ...] = ()) -> None:
    """Writes predictions atomically, with page checksums and the names of classes and groups as metadata.

    Row groups are written one at a time, so that memory holds no second copy of the predictions.

    Args:
        path: Parquet file to write.
        predictions: Logits, features and labels.
        classes: Name of each class, in label order.
        groups: Group of each class; empty if the classes have no hierarchy.

    Raises:
        OSError: The disk is full or the directory is not writable; no partial file remains.
    """
    schema = pa.schema(
        {
            "label": pa.int64(),
            "predicted": pa.int64(),
            "logits": pa.list_(pa.float32(), predictions.logits.shape[1]),
            "features": pa.list_(pa.float32(), predictions.features.shape[1]),
        },
        {"classes": json.dumps(classes), "groups": json.dumps(groups)},
    )
    # Dictionary encoding does not pay for floats, which hardly ever repeat.
    kind = {"write_page_checksum": True, "compression": "zstd", "use_dictionary": ["label", "predicted"]}
    with replacing(path) as file, pq.ParquetWriter(file, schema, **kind) as writer:
        for start in range(0, len(predictions.labels), ROWS):
            writer.write_batch(_batch(predictions, slice(start, start + ROWS), schema))


def _batch(predictions: Predictions, rows: slice, schema: pa.Schema) -> pa.RecordBatch:
    logits, features, labels = (column[rows] for column in predictions)
    plain = [pa.array(each, pa.int64()) for each in (labels, logits.argmax(axis=1))]
    lists = [
        pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
        for values in (np.ascontiguousarray(each, np.float32) for each in (logits, features))
    ]
    return pa.RecordBatch.from_arrays([*plain, *lists], schema=schema)


def from_table(table: pa.Table, *, features: bool) -> Predictions:
    """Converts a table read from a prediction file to ``Predictions``.

    Args:
        table: Table with the columns ``label`` and ``logits``, and ``features`` if they are to be read.
        features: Whether to read the features; without them the returned matrix has shape ``[n, 0]``.

    Raises:
        KeyError: A column is missing.
        TypeError: A column has the wrong type.
        ValueError: A row is null, or a label is not an integer.
    """
    labels = table["label"].to_numpy().astype(np.int64, casting="safe")
    matrix = _matrix(table["features"]) if features else np.empty((len(labels), 0), np.float32)
    return Predictions(_matrix(table["logits"]), matrix, labels)


def class_names(table: pa.Table) -> tuple[str, ...]:
    """Returns the class names from a table's metadata; empty if the file has none."""
    return _names(table, b"classes")


def class_groups(table: pa.Table) -> tuple[str, ...]:
    """Returns the group of each class from a table's metadata; empty if the classes have no hierarchy."""
    return _names(table, b"groups")


def _names(table: pa.Table, key: bytes) -> tuple[str, ...]:
    return tuple(json.loads((table.schema.metadata or {}).get(key, b"[]")))


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    if column.null_count:
        raise ValueError("a row is empty")
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(len(column), column.type.list_size)
