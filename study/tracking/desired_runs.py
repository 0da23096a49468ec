"""Derives the MLflow runs of a study from its database: a parent run for the study and a child run for each trial.

Only settled epochs are shown, because MLflow cannot delete a value: an epoch that a later attempt may train again is
shown after the next checkpoint or the end of the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from analysis.findings import best_config
from analysis.records import result_files
from analysis.report import summary
from analysis.tables.table import escape
from study.phases import sequence
from study.state import ledger, provenance
from study.state.attribute_names import StudyAttribute, TrialAttribute
from trainables.interfaces.part import flat
from trainables.runs.run_directory import RunDirectory
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from optuna.trial import FrozenTrial

    from analysis.findings.best_config import BestConfig
    from study.phases.phase import Phase
    from study.state.directory import OpenStudy
    from trainables.config import TrainConfig
    from trainables.runs.run_directory import EpochRow

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]

STUDY_KEY = "study"
# Metrics shown at every epoch: few, because many values slow down MLflow's pages. The last epoch shows all metrics.
EVERY_EPOCH = ("train/loss", "train/top1_error", "validation/top1_error", "validation/nll", "test/top1_error")
STATUS_OF_TRIAL: dict[str, Status] = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
STATUS_OF_STUDY: dict[sequence.State, Status] = {
    "running": "RUNNING",
    "interrupted": "KILLED",
    "failed": "FAILED",
    "searched": "FINISHED",
    "done": "FINISHED",
}
INTERRUPTED = "INTERRUPTED"
LONGEST_TAG = 2_000
LONGEST_NOTE = 8_000


class Point(NamedTuple):
    """Value of a metric; ``step`` is the epoch, ``time`` the end of the epoch in milliseconds since 1970."""

    metric: str
    value: float
    step: int
    time: int


class DataUsed(NamedTuple):
    """Data set of a run; the digest changes with images or labels."""

    name: str
    digest: str
    context: str


@dataclass(frozen=True)
class TrackedRun:
    """Desired content of an MLflow run.

    Attributes:
        key: ``study``, or phase and number of a trial, such as ``search/7``.
        status: MLflow's run status; the tag ``cskd.state`` has the study's or the trial's own state.
        start: Start time in seconds since 1970.
        end: End time in seconds since 1970; None while the run is running.
        params: Settings of the run.
        tags: Names, digests and state.
        points: Values of metrics, ordered so that later values are appended.
        data: Training data; None before it was checked.
        replaceable: Whether MLflow's run is deleted and created again if its history changed. False for the study's
            run, because the trials' runs refer to it.
    """

    key: str
    status: Status
    start: float
    end: float | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    points: tuple[Point, ...]
    data: DataUsed | None
    replaceable: bool = field(default=True)


def study_run(study: OpenStudy, *, live: bool) -> TrackedRun:
    """Returns the run of the study itself.

    Args:
        study: Open study.
        live: Whether a driver is running the study.
    """
    config, notes = study.config, provenance.notes(study.directory)
    until = study.store.attribute(StudyAttribute.UNTIL)
    state = sequence.state_of(sequence.counts_of(study), held=live, until=until)
    first = notes[0] if notes else {}
    params = {
        "sampler": config.search.sampler.name,
        "scheduler": config.search.scheduler.name,
        "objective": ", ".join(config.search.objectives),
        "confirm.seeds": str(list(config.confirm.seeds)),
        "confirm.finalists": str(config.confirm.finalists),
    }
    parts = {"dataset": config.dataset, "model": config.model, "method": config.method}
    end = None if live else _last_time(study, notes)
    # Only for a finished study, because MLflow cannot delete values that a part of the seeds gave.
    results = _results(study) if state in ("searched", "done") else None
    findings, points = _findings(results, study.trials_wanted, _last_end(study)) if results else ({}, ())
    tags = _common_tags(study, STUDY_KEY, state.upper())
    # A tag and not a parameter, because a longer search changes it and MLflow's parameters cannot change.
    tags |= {"mlflow.runName": config.name, "cskd.trials": str(study.trials_wanted)}
    return TrackedRun(
        key=STUDY_KEY,
        status=STATUS_OF_STUDY[state],
        start=first.get("time", 0.0),
        end=end,
        params=params | {name: part.part_name() for name, part in parts.items()},
        tags=tags | findings,
        points=points,
        data=_data(study, "training"),
        replaceable=False,
    )


def trial_runs(study: OpenStudy, *, live: bool, without: frozenset[str] = frozenset()) -> Iterator[TrackedRun]:
    """Yields the runs of all trials, phase by phase.

    Args:
        study: Open study.
        live: Whether a driver is running the study; if not, trials without a final state are shown as interrupted.
        without: Keys of runs to skip.
    """
    for phase in sequence.phases_of(study):
        for trial in study.store.trials(phase.name):
            if str(RunKey(phase.name, trial.number)) not in without:
                yield _trial_run(study, phase, trial, live=live)


def milliseconds(seconds: float) -> int:
    """Converts seconds since 1970 to MLflow's milliseconds."""
    return round(seconds * 1000)


def _trial_run(study: OpenStudy, phase: Phase, trial: FrozenTrial, *, live: bool) -> TrackedRun:
    key, final = str(RunKey(phase.name, trial.number)), trial.state.is_finished()
    config = phase.run_config(trial)
    run = RunDirectory(phase.run_directory(trial.number))
    rows = run.epochs() if final else run.settled_epochs()
    state = trial.state.name if final or live else INTERRUPTED
    begun = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    last = [trial.datetime_complete.timestamp()] if trial.datetime_complete else [row.time for row in rows]
    ended = max([begun, *last])  # the clock may have been set back during the run
    return TrackedRun(
        key=key,
        status=STATUS_OF_TRIAL[state] if final else "RUNNING" if live else "KILLED",
        start=begun,
        end=None if state == "RUNNING" else ended,
        params=params_of(config),
        tags=_common_tags(study, key, state) | _trial_tags(phase, trial, config),
        points=tuple(metric_points(rows, phase.objectives, config.training.epochs)),
        data=_data(study, f"training ({config.train_on})"),
    )


def metric_points(rows: list[EpochRow], objectives: Sequence[str], epochs: int) -> Iterator[Point]:
    """Yields the values that MLflow shows for the given epochs, in order.

    Args:
        rows: Epochs of a run.
        objectives: Objectives of the phase, shown at each epoch that has them.
        epochs: Number of epochs of a complete run; the last one shows all metrics.
    """
    for row in rows:
        shown = row.metrics if row.epoch == epochs else {*EVERY_EPOCH, *objectives} & row.metrics.keys()
        for name in sorted(shown):
            yield Point(name, row.metrics[name], row.epoch, milliseconds(row.time))
        yield Point("epoch_seconds", row.epoch_seconds, row.epoch, milliseconds(row.time))


def params_of(config: TrainConfig) -> dict[str, str]:
    """Returns the settings of a run as a flat mapping, without the location of the data.

    Options of the method have their own name, all others are prefixed with their section.
    """
    content = config.model_dump(mode="json")
    content["dataset"].pop("root", None)
    found: dict[str, str] = {}
    for section, value in content.items():
        if not isinstance(value, dict):
            found[section] = _shown(value)
            continue
        prefix = "" if section == "method" else f"{section}."
        options = {f"{prefix}{name}": x for name, x in flat(value) if name != "name" and x is not None}
        named = {section: value["name"]} if "name" in value else {}
        # A user-defined method may have an option with the name of a section.
        taken = content.keys() & options.keys()
        found |= {f"{section}.{name}" if name in taken else name: _shown(x) for name, x in options.items()}
        found |= {name: _shown(x) for name, x in named.items()}
    return found


def _shown(value: Any) -> str:
    return escape(value if isinstance(value, str) else repr(value))


def _common_tags(study: OpenStudy, key: str, state: str) -> dict[str, str]:
    store, launch = study.store, next(iter(provenance.notes(study.directory)), {})
    digests = {
        "study": study.config.digest(),
        "split": store.attribute(StudyAttribute.SPLIT_DIGEST),
        "data": store.attribute(StudyAttribute.DATA_DIGEST),
        "code": launch.get("digests", {}).get("code"),
    }
    tags = {
        "cskd.study": study.config.name,
        "cskd.study_id": study.identity,
        "cskd.run": key,
        "cskd.state": state,
        "mlflow.source.name": "cskd",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": (launch.get("commit") or "").removesuffix("+changes"),
        **{f"cskd.digest.{name}": value or "" for name, value in digests.items()},
    }
    return {name: value for name, value in tags.items() if value}


def _trial_tags(phase: Phase, trial: FrozenTrial, config: TrainConfig) -> dict[str, str]:
    tags = {
        "mlflow.runName": str(RunKey(phase.name, trial.number)),
        "cskd.phase": phase.name,
        "cskd.trial": str(trial.number),
        "cskd.attempt": str(trial.user_attrs[TrialAttribute.ATTEMPT]),
        "cskd.digest.config": config.digest(),
    }
    return tags | {
        f"cskd.{name}": escape(str(trial.user_attrs[name]))[:LONGEST_TAG]
        for name in (TrialAttribute.ARM, TrialAttribute.ERROR, TrialAttribute.REUSED_FROM, TrialAttribute.PROMOTED_FROM)
        if name in trial.user_attrs
    }


def _results(study: OpenStudy) -> result_files.Results | None:
    try:
        return result_files.read(study.directory / "results")
    except result_files.ResultsError:  # not written yet
        return None


def _findings(results: result_files.Results, trials: int, time: float) -> tuple[dict[str, str], tuple[Point, ...]]:
    """Returns the study's findings: text and the winner's name as tags, the winner's metrics as values."""
    note = {"mlflow.note.content": "\n\n".join(summary.findings(results))[:LONGEST_NOTE]}
    try:
        best = best_config.collect(results)
    except result_files.ResultsError:  # no trial has completed
        return note, ()
    return note | {"cskd.winner": best.arms[0].name}, _winner_points(best, trials, time)


def _winner_points(found: BestConfig, trials: int, time: float) -> tuple[Point, ...]:
    """Returns the winner's search value and, if it was confirmed with all seeds, its mean test value.

    The step is the number of trials, so a longer search adds a step. The time is that of the last run's end, so sending
    a value again changes nothing.
    """
    winner = found.arms[0]
    values = {found.objective: winner.search_value, found.metric: winner.test.mean if winner.test else None}
    return tuple(Point(f"winner/{name}", x, trials, milliseconds(time)) for name, x in values.items() if x is not None)


def _data(study: OpenStudy, context: str) -> DataUsed | None:
    digest = study.store.attribute(StudyAttribute.DATA_DIGEST)
    return None if digest is None else DataUsed(study.config.dataset.part_name(), str(digest), context)


def _last_end(study: OpenStudy) -> float:
    """Returns the end time of the last run in seconds since 1970, or 0 if none has ended."""
    ended = (
        trial.datetime_complete.timestamp()
        for phase in sequence.phases_of(study)
        for trial in study.store.trials(phase.name)
        if trial.datetime_complete
    )
    return max(ended, default=0.0)


def _last_time(study: OpenStudy, notes: list[dict[str, Any]]) -> float:
    return max([_last_end(study), *(float(line["time"]) for line in [*notes, *ledger.readings(study.directory)])])
