"""DuckDB and pandas read the result files without the project's code."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from analysis.findings.best_config import collect
from analysis.findings.best_config_table import best_config_table
from analysis.records import result_files
from analysis.tables import files


def test_duckdb_joins_and_groups_the_result_files(content: dict[str, Any], tmp_path: Path) -> None:
    result_files.write(tmp_path, **content)
    found = duckdb.sql(
        f"""SELECT t.trial, t."params/temperature", min(e."validation/top1_error")
        FROM '{tmp_path}/trials.parquet' t JOIN '{tmp_path}/epochs.parquet' e USING (study, phase, trial)
        WHERE t.state = 'COMPLETE' GROUP BY ALL ORDER BY trial"""
    ).fetchall()
    done = [run for run in content["trials"] if run["phase"] == "search" and run["state"] == "COMPLETE"]
    lowest = {
        run["trial"]: min(e["validation/top1_error"] for e in content["epochs"] if e["trial"] == run["trial"])
        for run in done
    }
    assert found == [(run["trial"], run["params/temperature"], lowest[run["trial"]]) for run in done]
    means = duckdb.sql(
        f"""SELECT arm, avg("test/top1_error"), count(*) FROM '{tmp_path}/confirmations.parquet' GROUP BY arm"""
    ).fetchall()
    result_files.write(tmp_path / "results", **content)
    arms = collect(result_files.read(tmp_path / "results")).arms
    assert {name: (round(mean, 12), n) for name, mean, n in means} == {
        arm.name: (round(arm.test.mean, 12), arm.test.n) for arm in arms if arm.test
    }


def test_duckdb_and_pandas_read_predictions(with_predictions: dict[int, Any], tmp_path: Path) -> None:
    path, (logits, labels) = tmp_path / "confirm" / "0" / "predictions.parquet", with_predictions[0]
    ((wrong,),) = duckdb.sql(f"SELECT avg((label != predicted)::int) FROM '{path}'").fetchall()
    assert wrong == np.mean(logits.argmax(axis=1) != labels)
    frame = pd.read_parquet(path)
    np.testing.assert_array_equal(np.stack(frame["logits"]), logits)
    np.testing.assert_array_equal(frame["label"], labels)


def test_pandas_reads_a_tables_csv_with_its_numbers(load: Any, content: dict[str, Any], tmp_path: Path) -> None:
    best = collect(load(content))
    files.write(best_config_table(best), tmp_path, "best_config")
    frame = pd.read_csv(tmp_path / "best_config.csv")
    assert frame["T"].dtype == float
    assert frame["validation %"].tolist()[0] == 22.95
    assert frame["n"].tolist() == [3] * 5
