import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.records import predictions
from analysis.records.result_files import ResultsError


def _write_predictions(path: Path, **columns: Any) -> None:
    logits, features = np.arange(6, dtype=np.float32), np.arange(8, dtype=np.float32)
    table = {
        "label": pa.array([1, 0], pa.int64()),
        "predicted": pa.array([2, 2], pa.int64()),
        "logits": pa.FixedSizeListArray.from_arrays(pa.array(logits), 3),
        "features": pa.FixedSizeListArray.from_arrays(pa.array(features), 4),
    }
    pq.write_table(
        pa.table({k: v for k, v in (table | columns).items() if v is not None}), path, write_page_checksum=True
    )


def test_predictions(tmp_path: Path) -> None:
    _write_predictions(tmp_path / "predictions.parquet")
    logits, features, labels = predictions.read(tmp_path / "predictions.parquet")
    np.testing.assert_array_equal(logits, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(features, [[0, 1, 2, 3], [4, 5, 6, 7]])
    np.testing.assert_array_equal(labels, [1, 0])
    assert (logits.dtype, features.dtype, labels.dtype) == (np.float32, np.float32, np.int64)


@pytest.mark.parametrize(
    "wrong",
    [
        {"features": None},
        {"label": pa.array(["a", "b"])},
        {"logits": pa.array([1.0, 2.0])},
        {"label": pa.array([1.5, None])},
    ],
)
def test_invalid_predictions_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    _write_predictions(tmp_path / "predictions.parquet", **wrong)
    with pytest.raises(ResultsError, match="does not hold predictions"):
        predictions.read(tmp_path / "predictions.parquet")


def test_missing_and_damaged_predictions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="does not exist"):
        predictions.read(tmp_path / "predictions.parquet")
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(ResultsError, match="damaged"):
        predictions.read(tmp_path / "predictions.parquet")


def test_logits_are_cached_until_the_file_changes(load: Any, content: dict[str, Any], with_predictions: Any) -> None:
    results = load(content)
    first = predictions.of_run(results, 0)
    assert predictions.of_run(results, 0) is first
    path = predictions.path_of(results, 0)
    os.utime(path, (1, 1))
    assert predictions.of_run(results, 0) is not first
    assert predictions.of_run(results, 0, features=True).features.shape == (200, 10)


def test_predictions_beyond_the_cache_size_are_read_again(
    load: Any, content: dict[str, Any], with_predictions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "_CACHE_BYTES", 3 * 200 * 10 * 4)
    results = load(content)
    found = [predictions.of_run(results, trial) for trial in range(4)]
    assert [predictions.of_run(results, trial) is each for trial, each in enumerate(found)] == [True] * 3 + [False]
