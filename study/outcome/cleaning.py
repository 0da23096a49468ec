"""Gives disk space back: checkpoints that nobody goes on from. Results are never touched."""

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
    """What was removed, or would be.

    Attributes:
        runs: Runs with checkpoints.
        files: Files of all of them.
        size_bytes: Their size.
        kept_runs: Unfinished runs whose checkpoints were left for a resume.
    """

    runs: int
    files: int
    size_bytes: int
    kept_runs: int


def clean(directory: Path, *, unfinished: bool = False, dry_run: bool = False) -> Cleaned:
    """Removes the checkpoints of runs that have a final state.

    Args:
        directory: The study directory.
        unfinished: Those of unfinished runs as well, which a resume then trains from their first epoch.
        dry_run: Only counts.

    Raises:
        StudyDirectoryError: There is no study.
        HeldError: A driver works on the study, and ``unfinished`` is asked for.
        ObjectStoreError: The object store does not answer.
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
    """The runs with a final state, and those without."""
    ended: list[Assignment] = []
    running: list[Assignment] = []
    with open_study(directory) as study:
        for phase in phases_of(study):
            for trial in study.store.trials(phase.name):
                (ended if trial.state.is_finished() else running).append(phase.assignment(trial))
    return ended, running


def _sizes(run: Assignment) -> list[int]:
    """Bytes of each file of a run's checkpoints, in its folder and in the object store."""
    here = [file.lstat().st_size for file in RunDirectory(run.directory).checkpoints.glob("*")]
    return here + run_collection.sizes_of_checkpoints(run)
