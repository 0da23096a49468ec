"""Finds the checkpoint and the errors of a method's trained teacher before a study begins."""

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
    """Completes the teachers in a study file or a run configuration with checkpoint, digest and errors.

    A teacher that already has a digest is not looked up again, so a frozen study keeps its teachers.

    Args:
        content: Content of the file; mistakes in it are left for the validation that follows.

    Returns:
        Copy of the content with completed teachers.

    Raises:
        DataError: A teacher's study has no such run, or is damaged.
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
    """Returns the teacher with its checkpoint, the checkpoint's digest, and the errors that its run measured.

    Raises:
        DataError: The teacher's study has no such run, or is damaged.
        CheckpointError: The checkpoint is missing or damaged.
    """
    if teacher.sha256 is not None:
        return teacher
    if teacher.study is not None:
        path, errors = _run_of_study(teacher, teacher.study)
    elif teacher.checkpoint is not None:
        path, errors = teacher.checkpoint, _final_metrics(teacher.checkpoint)
    else:
        return teacher
    known: dict[str, Any] = {f"{split}_top1_error": errors.get(f"{split}/top1_error") for split in ERRORS}
    known["trained_on"] = _trained_on(_final_metrics(path))
    return teacher.model_copy(update={"checkpoint": path, "sha256": _digest(path), **known})


def _trained_on(measured: Mapping[str, float]) -> str | None:
    """Returns the training data, ``train`` or ``full``, of the run that measured these metrics; None without metrics.

    A run measures the validation split unless it trains on it.
    """
    if not measured:
        return None
    return "train" if any(name.startswith("validation/") for name in measured) else "full"


def _digest(path: Path) -> str:
    try:
        digest, expected = sha256_of(path.read_bytes()), checksum_of(path).read_text()
    except OSError as error:
        raise CheckpointError(
            f"no teacher at {path}: {error.strerror}; name a checkpoint that has its checksum file beside it"
        ) from error
    if digest != expected:
        raise CheckpointError(f"the teacher {path} does not match its checksum; it is damaged")
    return digest


def _final_metrics(checkpoint: Path) -> Mapping[str, float]:
    """Returns the final metrics of the checkpoint's run; empty if the file is not in a run directory."""
    outcome = RunDirectory(checkpoint.parent.parent).outcome()
    return {} if outcome is None else outcome.metrics


def _run_of_study(teacher: Teacher, study: Path) -> tuple[Path, Mapping[str, float]]:
    """Returns checkpoint and errors of the confirmation run with the teacher's arm and seed."""
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
    return kept[0], _search_error(results, arm) | dict(_final_metrics(kept[0]))


def _arm_of(teacher: Teacher, results: Results, study: Path) -> str:
    if teacher.arm != "winner":
        return teacher.arm
    finalists: list[str] = results.study["finalists"]
    if not finalists:
        raise DataError(f"the teacher's study {study} has no winner yet; `cskd resume` continues it")
    return finalists[0]


def _search_error(results: Results, arm: str) -> dict[str, float]:
    """Returns the validation error from the search, because a confirmation on all training data measures none."""
    objective = results.study["objectives"][0]
    entry = results.study["arms"].get(arm)
    return {objective: entry["search_value"]} if entry and objective == "validation/top1_error" else {}
