"""Predictions of a run as Parquet: logits, features and labels, so that every metric can be computed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainables.durable import write_atomic


class Predictions(NamedTuple):
    """Logits ``[n, classes]`` and features ``[n, width]`` in float32, labels ``[n]``, in the data set's order."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]


def write(path: Path, predictions: Predictions, classes: tuple[str, ...], groups: tuple[str, ...] = ()) -> None:
    """Writes the predictions atomically, with page checksums; names of classes and groups go into the metadata."""
    table = pa.table(
        {
            "label": pa.array(predictions.labels, pa.int64()),
            "predicted": pa.array(predictions.logits.argmax(axis=1), pa.int64()),
            "logits": _rows(predictions.logits),
            "features": _rows(predictions.features),
        }
    ).replace_schema_metadata({"classes": json.dumps(classes), "groups": json.dumps(groups)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, write_page_checksum=True, compression="zstd")
    write_atomic(path, sink.getvalue().to_pybytes())


def _rows(values: NDArray[np.float32]) -> pa.FixedSizeListArray:
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
