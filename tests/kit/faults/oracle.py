"""Checks of a study directory after any fault: V1 to V6 of the acceptance list, as far as files show them."""

import json
from collections import Counter
from pathlib import Path

from analysis.records import result_files
from study.phases.sequence import phases_of
from study.state.directory import open_study
from study.state.optuna_store import FOLDERS
from study.tracking.desired_runs import EVERY_EPOCH
from trainables.runs.run_directory import RunDirectory


def verify_study(directory: Path, *, done: bool = True, retrained_per_attempt: int = 1) -> dict[str, int]:
    """Asserts V1, V3, V4, V5 and V6; returns counts of trials, attempts and repeated epochs.

    Args:
        directory: Study directory.
        done: Whether the study must be finished.
        retrained_per_attempt: Number of epochs that each further attempt may repeat.
    """
    counts = Counter()
    with open_study(directory) as study:
        for phase in phases_of(study):
            trials = study.store.trials(phase.name)
            assert [trial.number for trial in trials] == list(range(len(trials)))  # unique, without gaps
            if done:
                assert len(trials) == phase.planned(), (phase.name, len(trials), phase.planned())
                assert all(trial.state.is_finished() for trial in trials), phase.name  # V1
            for trial in trials:
                run = RunDirectory(directory / FOLDERS[phase.name] / str(trial.number))
                rows = run.epochs()
                assert [row.epoch for row in rows] == list(range(1, len(rows) + 1))  # V4
                attempts = trial.user_attrs["attempt"]
                again = run.epochs_trained() - len(rows)
                assert again <= retrained_per_attempt * (attempts - 1), (
                    phase.name,
                    trial.number,
                    again,
                    attempts,
                )  # V3
                counts["trials"] += 1
                counts["attempts"] += attempts
                counts["retrained_epochs"] += again
                if trial.state.name == "COMPLETE":
                    assert len(rows) == study.config.training.epochs
                    assert trial.values == [rows[-1].metrics[name] for name in phase.objectives]  # V5
        if phases_of(study)[1].planned() == len(study.store.trials("search")):
            points = [json.dumps(trial.params, sort_keys=True) for trial in study.store.trials("search")]
            counts["duplicates"] = len(points) - len(set(points))
    if done:
        results = result_files.read(directory / "results")  # V6: every checksum and schema holds
        keys = list(zip(results.epochs["phase"], results.epochs["trial"], results.epochs["epoch"], strict=True))
        assert len(keys) == len(set(keys))  # V4
        assert set(results.trials["state"]) <= {"COMPLETE", "PRUNED", "FAIL"}
    return dict(counts)


def finished_runs(directory: Path) -> dict[Path, bytes]:
    """Returns the content of every finished run's metrics, which a later driver must not change (V2)."""
    outcomes = list(directory.glob("*/*/outcome.json"))
    return {path: (path.parent / "metrics.jsonl").read_bytes() for path in outcomes}


def shown_values(rows: list, objectives: tuple[str, ...], epochs: int) -> dict[str, list[tuple[int, float]]]:
    """Returns the expected (epoch, value) pairs by metric: a few metrics of each epoch, all of the last epoch."""
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, value in {**row.metrics, "epoch_seconds": row.epoch_seconds}.items():
            if row.epoch == epochs or name in {*EVERY_EPOCH, *objectives, "epoch_seconds"}:
                found.setdefault(name, []).append((row.epoch, value))
    return found


def verify_tracking(directory: Path, uri: str | None = None) -> dict[str, int]:
    """Asserts V4 and V5 of MLflow: one run per trial, each value once, state and parameters as in the database.

    Reads with MLflow's client, not with the project's.
    """
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient(uri or f"sqlite:///{directory.parent / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    counts = Counter()
    with open_study(directory) as study:
        found = client.search_runs(
            experiments, f"tags.`cskd.study_id` = '{study.identity}'", ViewType.ACTIVE_ONLY, max_results=1000
        )
        runs = {run.data.tags["cskd.run"]: run for run in found}
        assert len(runs) == len(found)  # no duplicates
        parent = runs.pop("study").info.run_id
        expected = {
            f"{phase.name}/{trial.number}": (phase, trial)
            for phase in phases_of(study)
            for trial in phase.store.trials(phase.name)
        }
        assert runs.keys() == expected.keys()
        for key, (phase, trial) in expected.items():
            run = runs[key]
            assert run.data.tags["mlflow.parentRunId"] == parent
            final = trial.state.is_finished()
            state = trial.state.name if final else "INTERRUPTED"
            assert run.data.tags["cskd.state"] == state, key
            assert run.info.status == {"COMPLETE": "FINISHED", "FAIL": "FAILED"}.get(state, "KILLED"), key  # V5
            assert run.data.tags["cskd.attempt"] == str(trial.user_attrs["attempt"])
            for name, value in trial.params.items():
                assert run.data.params[name] == repr(value), (key, name)
            directory_of_run = RunDirectory(phase.run_directory(trial.number))
            rows = directory_of_run.epochs() if final else directory_of_run.settled_epochs()
            wanted = shown_values(rows, phase.objectives, phase.assignment(trial).config.training.epochs)
            assert run.data.metrics.keys() == wanted.keys(), key
            for metric, values in wanted.items():
                history = sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, metric))
                assert history == values, (key, metric)  # V4
                counts["values"] += len(history)
            if trial.state.name == "COMPLETE":
                assert [run.data.metrics[name] for name in phase.objectives] == trial.values
                assert run.data.metrics["train/loss"] == rows[-1].metrics["train/loss"]
                used = [data.dataset.digest for data in run.inputs.dataset_inputs]
                digest = study.store.attribute("data_digest")
                assert used == ([digest] if digest else [])
            counts[run.info.status] += 1
    return dict(counts)
