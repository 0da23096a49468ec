"""Tests the record of a study's MLflow runs."""

from pathlib import Path

import pytest

from study.state import mlflow_record
from study.state.mlflow_record import TrackingRecord


def test_a_record_is_read_back(tmp_path: Path) -> None:
    record = TrackingRecord("http://host:5000", "7", {"study": "a", "search/0": "b"})
    record.write(tmp_path)
    assert mlflow_record.read(tmp_path) == record


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"uri": "x"}', '{"uri": "x", "experiment_id": "1", "new": 1}']
)
def test_a_missing_or_damaged_record_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / mlflow_record.FILE_NAME).write_text(content)
    assert mlflow_record.read(tmp_path) is None
