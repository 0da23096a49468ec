"""Writes a study's result files from its database and run directories; they can be rebuilt at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.findings import best_config, best_config_table, export
from analysis.records import result_files
from analysis.report import study_report
from analysis.tables import files
from search_spaces import space
from study.phases import finalists, limits, race
from study.phases.sequence import phases_of
from study.state import ledger, mlflow_record, provenance
from study.state.attribute_names import StudyAttribute, TrialAttribute
from study.state.directory import BEST_CONFIG, REPORT, read_results
from trainables.files.durable import digest_of, write_atomic
from trainables.files.faultpoints import faultpoint
from trainables.interfaces.part import flat
from trainables.metrics.metric_name import MetricName
from trainables.runs.run_directory import RunDirectory
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from optuna.trial import FrozenTrial

    from study.phases.phase import Phase
    from study.state.directory import OpenStudy
    from trainables.runs.run_directory import EpochRow

SEARCHED_TRAINING = "training."


def write_all(study: OpenStudy) -> result_files.Results:
    """Writes ``results/``, ``report/`` and, once a winner is confirmed, ``best_config.yaml``."""
    results = write_results(study)
    faultpoint("results: written, no report")
    study_report.write(results, study.directory / REPORT)
    return results


def report(directory: Path) -> Path:
    """Writes the report page and figures of a study again, from its result files and predictions only.

    Args:
        directory: The study directory, or a copy of it without trials and database.

    Returns:
        Path of the report page.

    Raises:
        StudyDirectoryError: There is no study.
        ResultsError: The result files are missing or damaged.
    """
    return study_report.write(read_results(directory), directory / REPORT)


def write_results(study: OpenStudy) -> result_files.Results:
    """Writes ``results/`` and, once a winner is confirmed, ``best_config.yaml`` and its table; draws no figures."""
    trials: list[dict[str, Any]] = []
    confirmations: list[dict[str, Any]] = []
    epochs: list[dict[str, Any]] = []
    record = mlflow_record.read(study.directory)
    for phase in phases_of(study):
        for trial in study.store.trials(phase.name):
            rows = confirmations if phase.name == "confirm" else trials
            run_id = record.runs.get(str(RunKey(phase.name, trial.number))) if record else None
            rows.append(_trial_row(study, phase, trial) | {"mlflow_run_id": run_id})
            epochs.extend(_epoch_rows(study, phase, trial))
    folder = study.directory / "results"
    result_files.write(folder, trials=trials, epochs=epochs, confirmations=confirmations, study=_description(study))
    results = result_files.read(folder)
    if not results.confirmations.empty:
        _write_best(study, results)
    return results


def _trial_row(study: OpenStudy, phase: Phase, trial: FrozenTrial) -> dict[str, Any]:
    run, config = RunDirectory(phase.run_directory(trial.number)), phase.run_config(trial)
    rows = run.epochs()
    method = dict(flat(config.method.model_dump(mode="json", exclude={"name"})))
    training = [name for name in study.config.space() if name.startswith(SEARCHED_TRAINING)]
    searched = {name: getattr(config.training, name.removeprefix(SEARCHED_TRAINING)) for name in training}
    row = {
        "study": study.config.name,
        "phase": phase.name,
        "trial": trial.number,
        "state": trial.state.name,
        "dataset": config.dataset.part_name(),
        "model": config.model.part_name(),
        "method": config.method.part_name(),
        "seed": config.seed,
        "epochs": len(rows),
        **{f"params/{name}": x for name, x in (method | searched).items() if name != "name"},
        **(rows[-1].metrics if rows else {}),
        "duration_seconds": _duration(trial, run.device_seconds()),
        "device_seconds": run.device_seconds(),
        "attempts": trial.user_attrs[TrialAttribute.ATTEMPT],
        "error": trial.user_attrs.get(TrialAttribute.ERROR),
    }
    if phase.name == "confirm":
        chosen = _at_best_validation(rows, study.config.objective, minimizes=study.config.minimizes)
        return row | chosen | {"arm": trial.user_attrs[TrialAttribute.ARM], "trained_on": config.train_on}
    return row | {"reused_from": trial.user_attrs.get(TrialAttribute.REUSED_FROM)}


def _at_best_validation(rows: Sequence[EpochRow], objective: str, *, minimizes: bool) -> dict[str, float]:
    """Returns the test metrics at the first epoch with the best validation value.

    Empty unless each epoch has both metrics. The test set was read at each epoch anyway, and each reading is in the
    ledger: nothing is read again.
    """
    metric = MetricName.parse(objective).quantity
    if not rows or not all({objective, f"test/{metric}"} <= row.metrics.keys() for row in rows):
        return {}
    best = (min if minimizes else max)(rows, key=lambda row: row.metrics[objective])
    return {
        f"at_best_validation/{name.partition('/')[2]}": value
        for name, value in best.metrics.items()
        if name.startswith("test/")
    } | {"at_best_validation/epoch": best.epoch}


def _duration(trial: FrozenTrial, trained: float) -> float | None:
    """Returns the seconds from a trial's start to its end; at least its training time: clocks may be set back."""
    if trial.datetime_start is None or trial.datetime_complete is None:
        return None
    return max((trial.datetime_complete - trial.datetime_start).total_seconds(), trained)


def _epoch_rows(study: OpenStudy, phase: Phase, trial: FrozenTrial) -> list[dict[str, Any]]:
    return [
        {
            "study": study.config.name,
            "phase": phase.name,
            "trial": trial.number,
            "epoch": row.epoch,
            "attempt": row.attempt,
            **row.metrics,
            "epoch_seconds": row.epoch_seconds,
        }
        for row in RunDirectory(phase.run_directory(trial.number)).epochs()
    ]


def _description(study: OpenStudy) -> dict[str, Any]:
    config, store = study.config, study.store
    best = finalists.finalists(study)
    controls = finalists.controls(study)
    confirmed = {trial.user_attrs[TrialAttribute.ARM] for trial in store.trials("confirm")}
    known = {arm.label: arm for arm in [*best, *controls]}
    arms = [*known.values(), *(finalists.arm_from(study, label) for label in sorted(confirmed - known.keys()))]
    baseline = next((arm.label for arm in controls if arm.config.method.part_name() == "cross_entropy"), None)
    notes = provenance.notes(study.directory)
    return {
        "name": config.name,
        "config": config.resolved(),
        "distributions": {name: space.as_mapping(of) for name, of in config.space().items()},
        "objectives": list(config.search.objectives),
        "digests": {
            "study": config.digest(),
            "space": digest_of({name: space.as_mapping(of) for name, of in config.space().items()}),
            "split": store.attribute(StudyAttribute.SPLIT_DIGEST),
            "data": store.attribute(StudyAttribute.DATA_DIGEST),
            "code": next(iter(notes), {}).get("digests", {}).get("code"),
        },
        "provenance": notes,
        "ledger": ledger.readings(study.directory),
        "finalists": [arm.label for arm in best],
        "baseline": baseline,
        "race": race.race_record(study),
        "extended": _extended_after_reading(study),
        "cut_short": {
            name: ended._asdict() for name in limits.RUN_NAMES if (ended := limits.early_end(store, name)) is not None
        },
        "arms": {
            arm.label: {
                "role": "finalist" if arm.phase == "search" else "control",
                "phase": arm.phase,
                "trial": arm.trial,
                "config": arm.config.model_dump(mode="json"),
                "search_value": arm.value,
                "posterior_mean": arm.posterior_mean,
                "race_mean": arm.race_mean,
            }
            for arm in arms
        },
        "states": {phase.name: _states(store.trials(phase.name)) for phase in phases_of(study)},
    }


def _extended_after_reading(study: OpenStudy) -> bool:
    """Whether a trial of the search or the race started after the first reading of the test set."""
    first = min((line["time"] for line in ledger.readings(study.directory)), default=None)
    chosen_from = [*study.store.trials("search"), *study.store.trials("race")]
    begun = [trial.datetime_start.timestamp() for trial in chosen_from if trial.datetime_start]
    return first is not None and any(time > first for time in begun)


def _states(trials: list[FrozenTrial]) -> dict[str, int]:
    names = [trial.state.name for trial in trials]
    return {name: names.count(name) for name in sorted(set(names))}


def _write_best(study: OpenStudy, results: result_files.Results) -> None:
    best = best_config.collect(results)
    table = best_config_table.best_config_table(best)
    folder = study.directory / REPORT
    files.write(table, folder, "best_config")
    winner = study.directory / BEST_CONFIG
    if best.confirmed:
        text = export.export(best_config.winner_config(results), "yaml", export.header(best))
        write_atomic(winner, text.encode())
    else:  # the file of an earlier winner, from before the search was extended
        winner.unlink(missing_ok=True)
