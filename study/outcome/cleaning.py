"""Frees disk space: deletes checkpoints that are no longer needed. Results are never deleted."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.phases.sequence import phases_of
from study.state import run_collection
from study.state.directory import open_study, read_config
from study.state.lease import lease
from trainables.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from trainables.runs.assignment import Assignment


@dataclass(frozen=True)
class Cleaned:
    """What was deleted, or would be in a dry run.

    Attributes:
        runs: Number of runs whose checkpoints were deleted.
        files: Number of deleted files.
        size_bytes: Total size of these files.
        kept_runs: Number of unfinished runs whose checkpoints were kept for a resume.
    """

    runs: int
    files: int
    size_bytes: int
    kept_runs: int


def clean(directory: Path, *, unfinished: bool = False, dry_run: bool = False) -> Cleaned:
    """Deletes the checkpoints of runs that have a final state.

    Args:
        directory: The study directory.
        unfinished: Whether to delete those of unfinished runs, too; a resume then trains these from their first epoch.
        dry_run: Whether only to count.

    Raises:
        StudyDirectoryError: There is no study.
        HeldError: A driver works on the study, and ``unfinished`` is true.
        ObjectStoreError: The object store does not respond.
    """
    read_config(directory)
    with lease(directory) if unfinished and not dry_run else contextlib.nullcontext():
        ended, running = _runs(directory)
        chosen = [(run, _sizes(run)) for run in ([*ended, *running] if unfinished else ended)]
        chosen = [(run, sizes) for run, sizes in chosen if sizes]
        found = [size for _, sizes in chosen for size in sizes]
        if not dry_run:
            for run, _ in chosen:
                RunDirectory(run.directory).delete_checkpoints()
                run_collection.delete_checkpoints(run)
    kept = 0 if unfinished else sum(bool(_sizes(run)) for run in running)
    return Cleaned(len(chosen), len(found), sum(found), kept)


def _runs(directory: Path) -> tuple[list[Assignment], list[Assignment]]:
    """Returns the runs with a final state, and those without."""
    ended: list[Assignment] = []
    running: list[Assignment] = []
    with open_study(directory) as study:
        for phase in phases_of(study):
            for trial in study.store.trials(phase.name):
                (ended if trial.state.is_finished() else running).append(phase.assignment(trial))
    return ended, running


def _sizes(run: Assignment) -> list[int]:
    """Returns the size in bytes of each checkpoint file of a run, in its folder and in the object store."""
    local = [file.lstat().st_size for file in RunDirectory(run.directory).checkpoints.glob("*")]
    return local + run_collection.checkpoint_sizes(run)
