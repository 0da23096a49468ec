"""Predictions of a run as Parquet: logits, features and labels, so that every metric can be computed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainables.files.durable import replacing

ROWS = 4096  # of a group: 50 MB of 1,000 logits and 2,048 features


class Predictions(NamedTuple):
    """Logits ``[n, classes]`` and features ``[n, width]`` in float32, labels ``[n]``, in the data set's order."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]


def write(path: Path, predictions: Predictions, classes: tuple[str, ...], groups: tuple[str, ...] = ()) -> None:
    """Writes the predictions atomically, with page checksums; names of classes and groups go into the metadata.

    Rows go into the file group by group, so that no second copy of them lies in memory.

    Raises:
        OSError: The disk is full or the directory not writable; nothing is left behind.
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
    # Numbers that hardly ever repeat make a dictionary that costs more than it saves.
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
