"""Digits study with each sampler, scheduler and way to end: Optuna, MLflow and Parquet hold the same states."""

from collections import Counter
from pathlib import Path

import optuna
import pytest

from analysis.records import result_files
from study.definition.study_config import StudyConfig
from study.state.directory import read_config
from tests.kit.faults.drivers import REAL, read_log, start
from tests.kit.faults.oracle import verify_study, verify_tracking
from tests.kit.patience import patience

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

SHORT = {
    "search.trials": 6,
    "search.budget.hours": "null",
    "training.epochs": 4,
    "confirm.seeds": [1, 2],
    "confirm.finalists": 1,
    "resources.max_concurrent": 2,
}
GRID = "{temperature: {choices: [1, 4]}, lambda_cls: {choices: [1, 2, 3]}}"
SAMPLERS = {name: {"search.sampler.name": name} for name in ("gp", "tpe", "nsgaii", "random", "qmc")} | {
    "grid": {"search.sampler.name": "grid", "search.space": GRID}
}
SCHEDULERS = {
    name: {"search.sampler.name": "tpe", "search.scheduler": f"{{name: {name}, min_trials: 1}}"}
    for name in ("asha", "median", "halving")
}
ENDINGS = {
    "two objectives": {"search.objectives": "[validation/top1_error, validation/ece]"},
    "race": {"confirm.race": "{candidates: 4, seeds: 3}"},
    "out of budget": {"search.trials": 40, "search.budget": "{device_hours: 0.001, reserve_for_confirmation: 0.5}"},
}


def launch(folder: Path, settings: dict, *arguments: object, name: str = "digits") -> Path:
    """Runs a digits study; checks its directory and its MLflow runs."""
    chosen = [x for key, value in (SHORT | {"name": name} | settings).items() for x in ("--set", f"{key}={value}")]
    driver = start(folder, "launch", "digits", "--storage", str(folder), *chosen, *map(str, arguments), program=REAL)
    assert driver.wait(patience(300)) == 0, read_log(folder)
    verify_study(folder / name)
    verify_tracking(folder / name)
    return folder / name


def states_in_optuna(directory: Path, config: StudyConfig) -> dict[str, Counter]:
    """Returns the trial states by phase, read with Optuna."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{directory / 'optuna.db'}")
    every = optuna.get_all_study_names(storage)
    names = {name.removeprefix(config.name).removeprefix("/") or "search": name for name in every}
    found = {
        phase: Counter(trial.state.name for trial in optuna.load_study(study_name=name, storage=storage).trials)
        for phase, name in names.items()
    }
    storage.engine.dispose()
    return {phase: states for phase, states in found.items() if states}


def states_in_parquet(directory: Path) -> dict[str, Counter]:
    results = result_files.read(directory / "results")
    rows = [row for frame in (results.trials, results.confirmations) for row in frame.to_dict("records")]
    return {
        phase: Counter(row["state"] for row in rows if row["phase"] == phase) for phase in {r["phase"] for r in rows}
    }


@pytest.mark.parametrize("case", [*SAMPLERS, *SCHEDULERS, *ENDINGS])
def test_optuna_mlflow_and_parquet_hold_the_same_states(case: str, tmp_path: Path) -> None:
    directory = launch(tmp_path, (SAMPLERS | SCHEDULERS | ENDINGS)[case])
    states = states_in_optuna(directory, read_config(directory))
    assert states == states_in_parquet(directory)
    search = states["search"]
    if case in SAMPLERS:
        assert search == {"COMPLETE": 6}
    elif case in SCHEDULERS:
        assert search["COMPLETE"] >= 1
        assert search["PRUNED"] >= (1 if case == "halving" else 0)  # the others may stop no trial
    elif case == "out of budget":
        assert 0 < search["COMPLETE"] < 40
        assert "search" in result_files.read(directory / "results").study["cut_short"]
        assert set(states) >= {"search", "controls"}  # on a slow machine concurrent runs may use the reserve
        return
    assert states["confirm"]["COMPLETE"] >= 2
    assert set(states) == {"search", "controls", "confirm", *(["race"] if case == "race" else [])}


def test_a_warm_started_study_begins_with_the_best_trial_of_another(tmp_path: Path) -> None:
    first = launch(tmp_path, {"search.sampler.name": "random"}, name="first")
    second = launch(tmp_path, {"search.reuse": "false"}, "--warm-start", first, name="second")
    assert states_in_optuna(second, read_config(second)) == states_in_parquet(second)
    best = result_files.read(first / "results").trials.query("phase == 'search'").nsmallest(1, "validation/top1_error")
    start = result_files.read(second / "results").trials.query("phase == 'search'").nsmallest(1, "trial")
    assert read_config(second).search.first
    assert start["params/temperature"].item() == pytest.approx(best["params/temperature"].item())
