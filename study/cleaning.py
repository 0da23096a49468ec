"""Gives disk space back: checkpoints that nobody goes on from. Results are never touched."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.directory import open_study, read_config
from study.lease import lease
from study.store import FOLDERS, PHASES
from trainables.run_directory import RunDirectory

if TYPE_CHECKING:
    from pathlib import Path


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
    """
    read_config(directory)
    with lease(directory) if unfinished and not dry_run else contextlib.nullcontext():
        ended, running = _runs(directory)
        chosen = {path: _files(path) for path in ([*ended, *running] if unfinished else ended)}
        chosen = {path: files for path, files in chosen.items() if files}
        found = [file for files in chosen.values() for file in files]
        size = sum(file.lstat().st_size for file in found)
        if not dry_run:
            for path in chosen:
                RunDirectory(path).delete_checkpoints()
    kept = 0 if unfinished else sum(bool(_files(path)) for path in running)
    return Cleaned(len(chosen), len(found), size, kept)


def _runs(directory: Path) -> tuple[list[Path], list[Path]]:
    """Folders of the runs with a final state, and of those without."""
    ended: list[Path] = []
    running: list[Path] = []
    with open_study(directory) as study:
        for phase in PHASES:
            for trial in study.store.trials(phase):
                path = study.directory / FOLDERS[phase] / str(trial.number)
                (ended if trial.state.is_finished() else running).append(path)
    return ended, running


def _files(run: Path) -> list[Path]:
    return sorted(RunDirectory(run).checkpoints.glob("*"))
