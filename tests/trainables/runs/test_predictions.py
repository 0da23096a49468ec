import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.records.predictions import groups as read_groups
from analysis.records.predictions import read
from trainables.runs.predictions import ROWS, Predictions, write

REPOSITORY = Path(__file__).parents[3]


def test_analysis_reads_what_training_wrote(tmp_path):
    rng = np.random.default_rng(0)
    logits, features = rng.normal(size=(7, 3)).astype(np.float32), rng.normal(size=(7, 5)).astype(np.float32)
    logits[0, 1] = np.nextafter(np.float32(1), np.float32(2))
    written = Predictions(logits, np.asfortranarray(features), np.arange(7) % 3)
    path = tmp_path / "new" / "predictions.parquet"
    write(path, written, ("a", "ü", "c"))
    found = read(path)
    for name in Predictions._fields:
        assert np.array_equal(getattr(found, name), getattr(written, name))
        assert getattr(found, name).dtype == getattr(written, name).dtype
    table = pq.read_table(path)
    assert table["predicted"].to_pylist() == [int(np.argmax(each)) for each in logits]
    assert json.loads(table.schema.metadata[b"classes"]) == ["a", "ü", "c"]


def random_predictions(rows, classes=3, width=5) -> Predictions:
    rng = np.random.default_rng(0)
    logits, features = (rng.normal(size=(rows, columns)).astype(np.float32) for columns in (classes, width))
    return Predictions(logits, features, np.arange(rows) % classes)


@pytest.mark.parametrize("rows", [1, ROWS, 2 * ROWS + 1])
def test_rows_keep_their_order_in_row_groups_of_bounded_size(tmp_path, rows):
    written = random_predictions(rows)
    write(path := tmp_path / "predictions.parquet", written, ("a", "b", "c"), ("x", "x", "y"))
    for found, expected in zip(read(path), written, strict=True):
        assert np.array_equal(found, expected)
    described = pq.ParquetFile(path).metadata
    groups = [described.row_group(number).num_rows for number in range(described.num_row_groups)]
    assert groups == [ROWS] * (rows // ROWS) + [rows % ROWS] * (rows % ROWS > 0)
    assert read_groups(path) == ("x", "x", "y")


def test_writing_needs_memory_for_one_row_group_only(tmp_path):
    script = """
import sys, tracemalloc
from pathlib import Path
import numpy as np, pyarrow as pa
from trainables.runs.predictions import ROWS, Predictions, write
values = np.random.default_rng(0).random((10 * ROWS, 100), np.float32)
predictions = Predictions(values, values, np.zeros(len(values), np.int64))
small = Predictions(*(column[:1] for column in predictions))
write(Path(sys.argv[1]), small, ("a",) * 100)  # pyarrow imports modules at the first call
tracemalloc.start()
write(Path(sys.argv[1]), predictions, ("a",) * 100)
highest = pa.default_memory_pool().max_memory() + tracemalloc.get_traced_memory()[1]
print(highest / (2 * values.nbytes))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "predictions.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert 0 < float(done.stdout) < 0.3


def test_a_failed_write_keeps_the_old_predictions(tmp_path, monkeypatch):
    path = tmp_path / "predictions.parquet"
    write(path, random_predictions(3), ("a", "b", "c"))
    old = path.read_bytes()
    broken = random_predictions(ROWS + 1)._replace(labels=np.array(["no number"] * (ROWS + 1)))
    with pytest.raises(pa.ArrowException):
        write(path, broken, ("a", "b", "c"))
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
