"""S12 at 10,000 trials: cost of a trial after 100, 1,000 and 10,000 trials; memory, files, MLflow rows."""

import json
import sqlite3
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.measuring import Finding, run_module
from tests.benchmarks.study.overhead import peak_memory
from tests.kit.paths import PYTHON_PATH

STAGES = (100, 1000, 10_000)
MEASURED = 50  # last trials of each stage that run; earlier ones are written to the study's files
TRACKED = 500
PATIENT_SECONDS = 3600.0
TARGET_SECONDS = 0.5
MODULE = "tests.benchmarks.study.scale"
FIRST_VALUE, STEP = 0.1, 1e-5
COPIED = (  # Optuna's tables with the copied columns and the one that differs between trials
    ("trial_params", ("param_name", "param_value", "distribution_json"), "param_value"),
    ("trial_values", ("objective", "value", "value_type"), "value"),
    ("trial_user_attributes", ("key", "value_json"), None),
    ("trial_intermediate_values", ("step", "intermediate_value", "intermediate_value_type"), "intermediate_value"),
)
SPACE = {"temperature": {"low": 0.5, "high": 16, "log": True}, "lambda_cls": {"low": 0.1, "high": 8, "log": True}}


def stage(trials: int, folder: Path) -> dict[str, float]:
    """Runs the last trials of a search without training, in the driver's process; returns the figures."""
    from study.outcome.result_files import write_results
    from study.state.directory import open_study
    from study.views.events import Events
    from tests.kit.fakes.executor import Executor

    directory = _created(folder, trials, tracked=False)
    _fill(directory, trials - MEASURED)
    with open_study(directory) as study, (folder / "events.jsonl").open("w") as out:
        executor = Executor(study, until="search", listener=Events(out, print))
        begun = time.perf_counter()
        executor.run()
        lasted = time.perf_counter() - begun
        ends = sorted(trial.datetime_complete for trial in study.store.trials("search")[-MEASURED:])
        begun = time.perf_counter()
        write_results(study)
        written = time.perf_counter() - begun
    return {
        "seconds a trial": median((b - a).total_seconds() for a, b in pairwise(ends)),
        "seconds to write the results": written,
        "events a second": sum(1 for _ in (folder / "events.jsonl").open()) / (lasted - written),
        "driver's peak MiB": peak_memory(),
        "database, MiB": (directory / "optuna.db").stat().st_size / 2**20,
    }


def tracking(trials: int, folder: Path) -> dict[str, float]:
    """Mirrors a finished search to MLflow; returns the figures."""
    from study.tracking.tracking_thread import Tracker

    directory = _created(folder, trials, tracked=True)
    _fill(directory, trials)
    begun = time.perf_counter()
    with Tracker(directory, print, enabled=True) as tracker:
        tracker.start()
        tracker.end(PATIENT_SECONDS, PATIENT_SECONDS)
    lasted = time.perf_counter() - begun
    with sqlite3.connect(folder / "mlflow.db") as database:
        counts = [
            database.execute(f"select count(*) from {name}").fetchone()[0] for name in ("runs", "metrics", "params")
        ]
    return {"MLflow runs a second": counts[0] / lasted, "MLflow rows a second": sum(counts) / lasted}


def measure() -> Finding:
    """Measures the driver at each stage in a separate process, then the tracking of a search."""
    found = {trials: run_module([MODULE, "stage", str(trials)], PYTHONPATH=PYTHON_PATH) for trials in STAGES}
    tracked = run_module([MODULE, "tracking", str(TRACKED)], PYTHONPATH=PYTHON_PATH)
    figures = {
        f"{trials:,} trials: {name}": value
        for trials, values in [*found.items(), (TRACKED, tracked)]
        for name, value in values.items()
        if name != "wall_seconds"
    }
    cost = {trials: values["seconds a trial"] for trials, values in found.items()}
    figures |= {f"{b:,} / {a:,}, seconds a trial": cost[b] / cost[a] for a, b in pairwise(STAGES)}
    last = cost[STAGES[-1]]
    return Finding(f"<= {TARGET_SECONDS} s a trial at {STAGES[-1]:,}", last <= TARGET_SECONDS, figures)


def _created(folder: Path, trials: int, *, tracked: bool) -> Path:
    from study.definition import loading, yaml_reader
    from study.state import directory as study_directory
    from tests.kit.fakes.toy import STUDY

    content = yaml_reader.parse(STUDY.encode(), "toy")
    wanted: dict[str, Any] = {
        "search.space": SPACE,
        "search.trials": trials,
        "training.epochs": 1,
        "controls": [],
        "tracking.enabled": tracked,
    }
    for name, value in wanted.items():
        yaml_reader.override(content, name, value)
    return study_directory.create(loading.build(content, "toy"), folder)


def _fill(directory: Path, trials: int) -> None:
    """Writes finished trials and their files; SQL copies the first trial to the others, with different values."""
    import optuna

    from study.state.directory import read_config
    from study.state.optuna_store import TrialStore

    config = read_config(directory)
    TrialStore(directory / "optuna.db", config.name, directions=config.directions).close()
    storage = optuna.storages.RDBStorage(f"sqlite:///{directory / 'optuna.db'}")
    first = optuna.trial.create_trial(
        params={"temperature": 0.5, "lambda_cls": 0.1},
        distributions=config.space(),
        value=FIRST_VALUE,
        user_attrs={"attempt": 1},
        intermediate_values={1: FIRST_VALUE},
    )
    known = storage.create_new_trial(storage.get_study_id_from_name(config.name), template_trial=first)
    storage.engine.dispose()
    with sqlite3.connect(directory / "optuna.db") as database:
        when = "study_id, state, datetime_start, datetime_complete"
        copy = f"insert into trials (number, {when}) select ?, {when} from trials where trial_id = {known}"
        database.executemany(copy, [(number,) for number in range(1, trials)])
        for table, columns, varied in COPIED:
            values = ", ".join(
                f"old.{name} + new.number * {STEP}" if name == varied else f"old.{name}" for name in columns
            )
            database.execute(
                f"insert into {table} (trial_id, {', '.join(columns)}) select new.trial_id, {values} "
                f"from trials new, {table} old where old.trial_id = {known} and new.trial_id > {known}"
            )
    for number in range(trials):
        _write_run(directory / "trials" / str(number), FIRST_VALUE + number * STEP)


def _write_run(path: Path, error: float) -> None:
    from trainables.files.sealed_json import seal

    metrics = {"train/loss": 2 * error, "validation/top1_error": error, "validation/nll": 3 * error}
    row = {"epoch": 1, "attempt": 1, "metrics": metrics, "epoch_seconds": 0.01, "time": time.time()}
    outcome = {"state": "finished", "attempt": 1, "epoch": 1, "metrics": metrics, "error": None, "error_kind": None}
    path.mkdir(parents=True)
    (path / "metrics.jsonl").write_bytes(seal({"attempt": 1, "after_epoch": 0}) + b"\n" + seal(row) + b"\n")
    (path / "outcome.json").write_bytes(seal(outcome))


PARTS = {"stage": stage, "tracking": tracking}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cskd-bench-", dir="/tmp") as temporary:
        print(json.dumps(PARTS[sys.argv[1]](int(sys.argv[2]), Path(temporary))))
