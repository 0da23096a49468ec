import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.records import result_files
from analysis.records.result_files import ResultsError

FILES = ["trials.parquet", "epochs.parquet", "confirmations.parquet", "study.json"]
EMPTY: dict[str, Any] = {"trials": [], "epochs": [], "confirmations": [], "study": {}}


def test_results_survive_writing_and_reading(load: Any, content: dict[str, Any]) -> None:
    results = load(content)
    assert results.study == content["study"] | {"schema": 1}
    for name in ("trials", "epochs", "confirmations"):
        frame, rows = getattr(results, name), content[name]
        assert len(frame) == len(rows)
        for column in {column for line in rows for column in line}:
            for found, written in zip(frame[column].tolist(), [line.get(column) for line in rows], strict=True):
                assert found == written or (written is None and pd.isna(found))


def test_fixed_columns_and_types_without_rows(tmp_path: Path) -> None:
    result_files.write(tmp_path, **EMPTY)
    schema = pq.read_schema(tmp_path / "confirmations.parquet")
    types = {field.name: str(field.type) for field in schema}
    assert types == {
        "study": "string",
        "phase": "string",
        "trial": "int64",
        "state": "string",
        "dataset": "string",
        "model": "string",
        "method": "string",
        "seed": "int64",
        "epochs": "int64",
        "duration_seconds": "double",
        "device_seconds": "double",
        "attempts": "int64",
        "mlflow_run_id": "string",
        "error": "string",
        "arm": "string",
        "trained_on": "string",
        "best_test/top1_error": "double",
    }
    assert list(result_files.read(tmp_path).epochs) == ["study", "phase", "trial", "epoch", "attempt", "epoch_seconds"]


def test_fixed_columns_come_first_and_free_ones_sorted(load: Any, content: dict[str, Any]) -> None:
    columns = list(load(content).trials)
    assert columns[15:] == [
        "params/lambda_cls",
        "params/lambda_e",
        "params/temperature",
        "validation/nll",
        "validation/top1_error",
    ]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None], "int64"),
        ([1, 2.5], "double"),
        (["a", None], "string"),
        ([1, "a"], "string"),
        ([True, False], "bool"),
        ([True, 2], "string"),
        ([None], "double"),
        ([np.float64(0.5), 1], "double"),
    ],
)
def test_parameters_keep_their_type(tmp_path: Path, content: dict[str, Any], values: list[Any], kind: str) -> None:
    trials = [content["trials"][i] | {"params/x": value} for i, value in enumerate(values)]
    result_files.write(tmp_path, **EMPTY | {"trials": trials})
    assert str(pq.read_schema(tmp_path / "trials.parquet").field("params/x").type) == kind


def test_a_large_seed_stays_exact(load: Any, content: dict[str, Any]) -> None:
    content["trials"][0]["seed"] = 2**63 - 1
    assert load(content).trials["seed"].tolist()[0] == 2**63 - 1


def test_two_rows_of_one_epoch_are_refused_and_the_old_files_stay(
    load: Any, content: dict[str, Any], tmp_path: Path
) -> None:
    load(content)
    before = {name: (tmp_path / "results" / name).read_bytes() for name in FILES}
    content["epochs"].append(content["epochs"][0] | {"attempt": 2})
    content["trials"][0]["state"] = "FAIL"
    with pytest.raises(ValueError, match="epochs: more than one row of phase search, trial 0, epoch 20"):
        load(content)
    assert {path.name: path.read_bytes() for path in (tmp_path / "results").iterdir()} == before


def test_two_rows_of_one_trial_are_refused(load: Any, content: dict[str, Any]) -> None:
    content["confirmations"].append(content["confirmations"][0])
    with pytest.raises(ValueError, match="confirmations: more than one row of phase confirm, trial 0"):
        load(content)


def test_unknown_columns_and_missing_keys_are_refused(load: Any, content: dict[str, Any]) -> None:
    content["trials"][0]["wall_time"] = 1.0
    with pytest.raises(ValueError, match="trials: unknown column 'wall_time'"):
        load(content)
    del content["trials"][0]["wall_time"], content["trials"][0]["seed"]
    with pytest.raises(ValueError, match="seed"):
        load(content)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(load: Any, content: dict[str, Any], tmp_path: Path, name: str) -> None:
    load(content)
    (tmp_path / "results" / name).unlink()
    with pytest.raises(ResultsError, match=f"{name} does not exist; `cskd sync`") as caught:
        result_files.read(tmp_path / "results")
    assert caught.value.exit_code == 65


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="nowhere"):
        result_files.read(tmp_path / "nowhere")


@pytest.mark.fault(18)
@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused(load: Any, content: dict[str, Any], tmp_path: Path, name: str) -> None:
    load(content)
    path = tmp_path / "results" / name
    whole = path.read_bytes()
    for length in [0, 1, 4, 100, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ResultsError, match=rf"{name} is damaged"):
            result_files.read(tmp_path / "results")


@pytest.mark.fault(19)
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_refused_or_harmless(load: Any, content: dict[str, Any], tmp_path: Path, name: str) -> None:
    """Bits that no value depends on (statistics, the writer's name) may differ; values, names and lengths may not."""
    good = load(content)
    path = tmp_path / "results" / name
    whole = path.read_bytes()
    refused = 0
    positions = range(0, len(whole), max(1, len(whole) // 150))
    for position in positions:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ (1 << position % 8)]) + whole[position + 1 :])
        try:
            read = result_files.read(tmp_path / "results")
        except ResultsError:
            refused += 1
            continue
        assert read.study == good.study
        for table in ("trials", "epochs", "confirmations"):
            assert getattr(read, table).equals(getattr(good, table)), (table, position)
    assert refused > len(positions) // 10


@pytest.mark.fault(19)
def test_a_flipped_bit_in_a_value_is_always_refused(load: Any, content: dict[str, Any], tmp_path: Path) -> None:
    load(content)
    path = tmp_path / "results" / "epochs.parquet"
    whole = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(0).column(6)
    whole[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ResultsError, match="damaged"):
        result_files.read(tmp_path / "results")


@pytest.mark.bad_input(40)
@pytest.mark.parametrize(
    ("version", "message"), [("2", "has schema 2, this version reads 1; update cs-kd-study"), ("x", "unknown schema")]
)
def test_other_versions_are_refused(
    load: Any, content: dict[str, Any], tmp_path: Path, version: str, message: str
) -> None:
    load(content)
    path = tmp_path / "results" / "trials.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata(table.schema.metadata | {b"cskd.schema": version.encode()}), path)
    with pytest.raises(ResultsError, match=message):
        result_files.read(tmp_path / "results")
    (tmp_path / "results" / "study.json").write_text(json.dumps({"schema": version}))
    with pytest.raises(ResultsError, match=message):
        result_files.read(tmp_path / "results")


@pytest.mark.parametrize("strange", ["[]", "{}", '{"schema": 1}', "null"])
def test_an_invalid_study_json_is_refused(load: Any, content: dict[str, Any], tmp_path: Path, strange: str) -> None:
    load(content)
    (tmp_path / "results" / "study.json").write_text(strange)
    with pytest.raises(ResultsError, match=r"not a result file|damaged"):
        result_files.read(tmp_path / "results")


def test_a_file_without_an_added_column_reads_as_empty_there(
    load: Any, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for row in content["trials"]:
        row.pop("reused_from", None)
    with monkeypatch.context() as before:
        before.setattr(result_files, "_ADDED", {})
        assert "reused_from" not in load(content).trials.columns
    assert load(content).trials["reused_from"].isna().all()


@pytest.mark.bad_input(40)
def test_other_parquet_files_are_refused(load: Any, content: dict[str, Any], tmp_path: Path) -> None:
    load(content)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "results" / "trials.parquet")
    with pytest.raises(ResultsError, match="not a result file of cs-kd-study"):
        result_files.read(tmp_path / "results")


def test_a_killed_writer_leaves_the_old_file(load: Any, content: dict[str, Any], tmp_path: Path) -> None:
    before = load(content)
    script = (
        "import os, signal, sys; from pathlib import Path; from analysis.records import result_files as records\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "records.write(Path(sys.argv[1]), trials=[], epochs=[], confirmations=[], study={})"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", script, str(tmp_path / "results")]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    after = result_files.read(tmp_path / "results")
    assert after.trials.equals(before.trials)
    assert after.study == before.study


hostile = st.text(st.characters(), max_size=30) | st.sampled_from(
    ["=cmd()", "\ud800", "\x00", "a\r\nb", "\u202e", "| x |"]
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(error=hostile, parameter=hostile, name=hostile)
def test_hostile_strings_survive(load: Any, content: dict[str, Any], error: str, parameter: str, name: str) -> None:
    content["trials"][0] |= {"error": error, "params/policy": parameter}
    content["study"]["name"] = name
    results = load(content)
    expected = [text.encode("utf-8", "backslashreplace").decode() for text in (error, parameter)]
    assert list(results.trials.loc[0, ["error", "params/policy"]]) == expected
    assert results.study["name"] == name
