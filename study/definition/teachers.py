"""Which file a method's trained teacher is, and how good that network is: entered into a study before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from trainables.errors import CheckpointError, DataError
from trainables.files.durable import sha256_of
from trainables.interfaces import Teacher
from trainables.runs.checkpoint_names import checksum_of, generations
from trainables.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from analysis.records.result_files import Results

KEY = "teacher"
ERRORS = ("validation", "test")


def resolve(content: Mapping[str, Any]) -> dict[str, Any]:
    """A study file, or the configuration of a run, with all that is known of the teachers that it names.

    A teacher whose digest is given already stays as it is: what a study was frozen with is not looked up again.

    Args:
        content: As it was read; what is wrong in it is left for the check that follows.

    Raises:
        DataError: A study that a teacher comes from has no such run, or is damaged.
        CheckpointError: A teacher's file is missing or damaged.
    """
    found = {key: _with_teacher(value) if key == "method" else value for key, value in content.items()}
    if isinstance(content.get("controls"), list):
        found["controls"] = [_with_teacher(control) for control in content["controls"]]
    return found


def _with_teacher(options: Any) -> Any:
    if not isinstance(options, dict):
        return options
    found = {key: _with_teacher(value) if key == "method" else value for key, value in options.items()}
    if isinstance(options.get(KEY), dict):
        try:
            teacher = Teacher.model_validate(options[KEY])
        except ValidationError:
            return options
        found[KEY] = resolved(teacher).model_dump(mode="json")
    return found


def resolved(teacher: Teacher) -> Teacher:
    """The teacher with its file, the file's digest, and its errors where its run measured them.

    Raises:
        DataError: The study has no such run, or is damaged.
        CheckpointError: The file is missing or damaged.
    """
    if teacher.sha256 is not None:
        return teacher
    if teacher.study is not None:
        path, errors = _of_study(teacher, teacher.study)
    elif teacher.checkpoint is not None:
        path, errors = teacher.checkpoint, _errors_beside(teacher.checkpoint)
    else:
        return teacher
    known: dict[str, Any] = {f"{split}_top1_error": errors.get(f"{split}/top1_error") for split in ERRORS}
    known["trained_on"] = _trained_on(_errors_beside(path))
    return teacher.model_copy(update={"checkpoint": path, "sha256": _digest(path), **known})


def _trained_on(measured: Mapping[str, float]) -> str | None:
    """A run has a validation split to measure unless it trains on it."""
    if not measured:
        return None
    return "train" if any(name.startswith("validation/") for name in measured) else "full"


def _digest(path: Path) -> str:
    try:
        digest, expected = sha256_of(path.read_bytes()), checksum_of(path).read_text()
    except OSError as error:
        raise CheckpointError(
            f"no teacher at {path}: {error.strerror}; name a checkpoint with its checksum file beside it"
        ) from error
    if digest != expected:
        raise CheckpointError(f"the teacher {path} does not match its checksum; it is damaged")
    return digest


def _errors_beside(checkpoint: Path) -> Mapping[str, float]:
    """What the checkpoint's run measured at its end; nothing where the file does not lie in a run's folder."""
    outcome = RunDirectory(checkpoint.parent.parent).outcome()
    return {} if outcome is None else outcome.metrics


def _of_study(teacher: Teacher, study: Path) -> tuple[Path, Mapping[str, float]]:
    from analysis.records import result_files

    if not study.exists():
        raise DataError(
            f"the teacher's study {study} does not exist; launch it first, or name another study, or the file of a "
            "checkpoint: --set method.teacher.study=DIR, --set method.teacher.checkpoint=FILE"
        )
    try:
        results = result_files.read(study / "results")
    except result_files.ResultsError as error:
        raise DataError(f"the teacher's study {study}: {error}") from error
    arm = _arm_of(teacher, results, study)
    rows = results.confirmations
    rows = rows[(rows["arm"] == arm) & (rows["state"] == "COMPLETE")]
    row = rows[rows["seed"] == teacher.seed]
    if row.empty:
        seeds = ", ".join(map(str, sorted(rows["seed"]))) or "none"
        raise DataError(f"the teacher's study {study}: arm {arm} has no run of seed {teacher.seed}; it has {seeds}")
    run = study / "confirm" / str(row["trial"].iloc[0])
    kept = generations(run / "checkpoints")
    if not kept:
        raise CheckpointError(f"the teacher's run {run} has no checkpoint; it was removed")
    return kept[0], _errors_in(results, arm) | dict(_errors_beside(kept[0]))


def _arm_of(teacher: Teacher, results: Results, study: Path) -> str:
    if teacher.arm != "winner":
        return teacher.arm
    finalists: list[str] = results.study["finalists"]
    if not finalists:
        raise DataError(f"the teacher's study {study} has no winner yet; `cskd resume` goes on with it")
    return finalists[0]


def _errors_in(results: Results, arm: str) -> dict[str, float]:
    """The error that the search measured, for a confirmation on all training data has no validation split."""
    objective = results.study["objectives"][0]
    entry = results.study["arms"].get(arm)
    return {objective: entry["search_value"]} if entry and objective == "validation/top1_error" else {}
