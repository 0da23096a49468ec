"""The epochs of one trial, for people and scripts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from study.directory import open_study
from study.errors import UsageError
from study.phases import FOLDERS
from trainables.run_directory import RunDirectory


def rows(directory: Path, trial: str) -> dict[str, Any]:
    """Epochs and outcome of a trial.

    Args:
        directory: The study directory.
        trial: ``7`` or ``search/7``, ``controls/0``, ``confirm/2``.

    Raises:
        UsageError: There is no such trial.
    """
    phase, _, number = trial.rpartition("/")
    phase = phase or "search"
    with open_study(directory) as study:
        known = study.store.trials(phase) if phase in FOLDERS else []  # type: ignore[arg-type]
        if not (number.isascii() and number.isdigit()) or int(number) >= len(known):
            raise UsageError(f"{directory}: no trial {trial!r}; {phase} has {len(known)} trials, numbered from 0")
        found = known[int(number)]
    run = RunDirectory(directory / FOLDERS[phase] / str(found.number))
    outcome = run.outcome()
    return {
        "trial": f"{phase}/{found.number}",
        "state": found.state.name,
        "params": found.params,
        "attempts": found.user_attrs["attempt"],
        "error": found.user_attrs.get("error"),
        "outcome": asdict(outcome) if outcome else None,
        "epochs": [asdict(row) for row in run.epochs()],
    }


def describe(found: dict[str, Any]) -> list[str]:
    """Lines for a terminal: a heading, one line an epoch, the error."""
    names = ("train/loss", "train/top1_error", "validation/top1_error", "validation/nll", "test/top1_error")
    lines = [f"{found['trial']}: {found['state']}, attempt {found['attempts']}, {found['params']}"]
    for row in found["epochs"]:
        shown = "  ".join(f"{name} {row['metrics'][name]:.4f}" for name in names if name in row["metrics"])
        lines.append(f"epoch {row['epoch']:>4}  {shown}  {row['epoch_seconds']:.2f} s")
    return [*lines, *([f"error: {found['error']}"] if found["error"] else [])]


def first_error(directory: Path) -> str:
    """Why the first failed search trial failed."""
    with open_study(directory) as study:
        failed = [trial for trial in study.store.trials("search") if trial.state.name == "FAIL"]
    return str(failed[0].user_attrs.get("error")) if failed else "nothing"
