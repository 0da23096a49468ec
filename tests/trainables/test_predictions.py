import json

import numpy as np
import pyarrow.parquet as pq

from analysis.records import read_predictions
from trainables.predictions import Predictions, write


def test_analysis_reads_what_training_wrote(tmp_path):
    rng = np.random.default_rng(0)
    logits, features = rng.normal(size=(7, 3)).astype(np.float32), rng.normal(size=(7, 5)).astype(np.float32)
    logits[0, 1] = np.nextafter(np.float32(1), np.float32(2))
    written = Predictions(logits, np.asfortranarray(features), np.arange(7) % 3)
    path = tmp_path / "new" / "predictions.parquet"
    write(path, written, ("a", "ü", "c"))
    found = read_predictions(path)
    for name in Predictions._fields:
        assert np.array_equal(getattr(found, name), getattr(written, name))
        assert getattr(found, name).dtype == getattr(written, name).dtype
    table = pq.read_table(path)
    assert table["predicted"].to_pylist() == [int(np.argmax(each)) for each in logits]
    assert json.loads(table.schema.metadata[b"classes"]) == ["a", "ü", "c"]
