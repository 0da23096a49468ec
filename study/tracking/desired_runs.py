"""What MLflow should show of a study, derived from its truth: a run for the study, one for each trial below it.

Only settled epochs are shown, for MLflow cannot take a value back: an epoch that a later attempt may train again waits
for a checkpoint, or for the end of the run.
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
    from study.state.directory import Study
    from trainables.config import TrainConfig
    from trainables.runs.run_directory import EpochRow

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]

STUDY_KEY = "study"
# At each epoch a short list, for long ones slow the pages down; the last epoch has all that was measured.
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
    """A value of a metric: its step is the epoch, its time that of the epoch's end in milliseconds since 1970."""

    metric: str
    value: float
    step: int
    time: int


class DataUsed(NamedTuple):
    """The data set of a run; the digest changes with images or labels."""

    name: str
    digest: str
    context: str


@dataclass(frozen=True)
class TrackedRun:
    """A run as MLflow should show it.

    Attributes:
        key: ``study``, or phase and number of a trial, such as ``search/7``.
        status: In MLflow's words; the tag ``cskd.state`` says it in ours.
        start: Seconds since 1970.
        end: Seconds since 1970; None while it runs.
        params: Settings of the run.
        tags: Names, digests, state.
        points: Values of metrics, in an order that only grows.
        data: What it trains on.
        replaceable: Whether a run whose past changed is made anew; the study's own is not, for others refer to it.
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


def study_run(study: Study, *, live: bool) -> TrackedRun:
    """The run of the study itself.

    Args:
        study: An open study.
        live: Whether its driver works on it.
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
    # Only of a study that has come to its end: MLflow cannot take back what half of the seeds said.
    results = _results(study) if state in ("searched", "done") else None
    words, points = _findings(results, study.trials_wanted, _last_end(study)) if results else ({}, ())
    tags = _common_tags(study, STUDY_KEY, state.upper())
    tags |= {"mlflow.runName": config.name, "cskd.trials": str(study.trials_wanted)}  # no parameter: it may grow
    return TrackedRun(
        key=STUDY_KEY,
        status=STATUS_OF_STUDY[state],
        start=first.get("time", 0.0),
        end=end,
        params=params | {name: part.part_name() for name, part in parts.items()},
        tags=tags | words,
        points=points,
        data=_data(study, "training"),
        replaceable=False,
    )


def trial_runs(study: Study, *, live: bool, without: frozenset[str] = frozenset()) -> Iterator[TrackedRun]:
    """The runs of all trials, phase by phase.

    Args:
        study: An open study.
        live: Whether its driver works on it; trials without a final state run then, and are interrupted otherwise.
        without: Keys of runs that are not needed.
    """
    for phase in sequence.phases_of(study):
        for trial in study.store.trials(phase.name):
            if str(RunKey(phase.name, trial.number)) not in without:
                yield _trial_run(study, phase, trial, live=live)


def milliseconds(seconds: float) -> int:
    """Seconds since 1970 as MLflow counts time."""
    return round(seconds * 1000)


def _trial_run(study: Study, phase: Phase, trial: FrozenTrial, *, live: bool) -> TrackedRun:
    key, final = str(RunKey(phase.name, trial.number)), trial.state.is_finished()
    config = phase.assignment(trial).config
    run = RunDirectory(phase.run_directory(trial.number))
    rows = run.epochs() if final else run.settled_epochs()
    state = trial.state.name if final or live else INTERRUPTED
    begun = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    last = [trial.datetime_complete.timestamp()] if trial.datetime_complete else [row.time for row in rows]
    ended = max([begun, *last])  # a clock that was set back makes no run end before it began
    return TrackedRun(
        key=key,
        status=STATUS_OF_TRIAL[state] if final else "RUNNING" if live else "KILLED",
        start=begun,
        end=None if state == "RUNNING" else ended,
        params=params_of(config),
        tags=_common_tags(study, key, state) | _trial_tags(phase, trial, config),
        points=tuple(points_of(rows, phase.objectives, config.training.epochs)),
        data=_data(study, f"training ({config.train_on})"),
    )


def points_of(rows: list[EpochRow], objectives: Sequence[str], epochs: int) -> Iterator[Point]:
    """Values that are shown of the given epochs, in order.

    Args:
        rows: Epochs of a run.
        objectives: The metrics that decide; shown at each epoch that has them.
        epochs: Length of a whole run, at whose end everything is shown.
    """
    for row in rows:
        shown = row.metrics if row.epoch == epochs else {*EVERY_EPOCH, *objectives} & row.metrics.keys()
        for name in sorted(shown):
            yield Point(name, row.metrics[name], row.epoch, milliseconds(row.time))
        yield Point("epoch_seconds", row.epoch_seconds, row.epoch, milliseconds(row.time))


def params_of(config: TrainConfig) -> dict[str, str]:
    """Settings of a run, flat: options of the method by their own name, all others with their section.

    Where the data lies is no setting of the run and is left out.
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
        # A user's own method may call an option like one of ours.
        taken = content.keys() & options.keys()
        found |= {f"{section}.{name}" if name in taken else name: _shown(x) for name, x in options.items()}
        found |= {name: _shown(x) for name, x in named.items()}
    return found


def _shown(value: Any) -> str:
    return escape(value if isinstance(value, str) else repr(value))


def _common_tags(study: Study, key: str, state: str) -> dict[str, str]:
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


def _results(study: Study) -> result_files.Results | None:
    try:
        return result_files.read(study.directory / "results")
    except result_files.ResultsError:  # not written yet
        return None


def _findings(results: result_files.Results, trials: int, time: float) -> tuple[dict[str, str], tuple[Point, ...]]:
    """What the study found, in words as tags, and what its winner reached as values."""
    note = {"mlflow.note.content": "\n\n".join(summary.found(results))[:LONGEST_NOTE]}
    try:
        best = best_config.collect(results)
    except result_files.ResultsError:  # no trial has completed
        return note, ()
    return note | {"cskd.winner": best.arms[0].name}, _winner_points(best, trials, time)


def _winner_points(found: BestConfig, trials: int, time: float) -> tuple[Point, ...]:
    """What the winner reached in the search and, when all its seeds are there, on the test set.

    A longer search adds a step. A value has the time of the last run, so that telling it again changes nothing.
    """
    winner = found.arms[0]
    values = {found.objective: winner.search_value, found.metric: winner.test.mean if winner.test else None}
    return tuple(Point(f"winner/{name}", x, trials, milliseconds(time)) for name, x in values.items() if x is not None)


def _data(study: Study, context: str) -> DataUsed | None:
    digest = study.store.attribute(StudyAttribute.DATA_DIGEST)
    return None if digest is None else DataUsed(study.config.dataset.part_name(), str(digest), context)


def _last_end(study: Study) -> float:
    """When the last run ended; 0 where none has."""
    ended = (
        trial.datetime_complete.timestamp()
        for phase in sequence.phases_of(study)
        for trial in study.store.trials(phase.name)
        if trial.datetime_complete
    )
    return max(ended, default=0.0)


def _last_time(study: Study, notes: list[dict[str, Any]]) -> float:
    return max([_last_end(study), *(float(line["time"]) for line in [*notes, *ledger.readings(study.directory)])])
