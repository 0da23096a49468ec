"""Describes the epochs and the outcome of one trial."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.tables.table import Table
from analysis.words.wording import shortened
from search_spaces.symbols import symbol
from study.errors import UsageError
from study.state.attribute_names import TrialAttribute
from study.state.directory import open_study
from study.state.optuna_store import FOLDERS
from trainables.runs.run_directory import RunDirectory
from trainables.runs.run_key import RunKey

LONGEST_ERROR = 2000
COLUMNS = {
    "train/loss": "train loss",
    "train/top1_error": "train error %",
    "validation/top1_error": "val. error %",
    "validation/nll": "val. nll",
    "test/top1_error": "test error %",
}


def rows(directory: Path, trial: str) -> dict[str, Any]:
    """Returns the epochs and the outcome of a trial, ready for JSON.

    Args:
        directory: The study directory.
        trial: Name of the trial: ``search/7`` or ``7``, ``controls/0``, ``race/3``, ``confirm/2``.

    Raises:
        UsageError: The study has no such trial.
    """
    try:
        phase, number = RunKey.parse(trial if "/" in trial else f"search/{trial}")
    except ValueError as error:
        raise UsageError(f"{directory}: {error}") from None
    with open_study(directory) as study:
        known = study.store.trials(phase)
        if number >= len(known):
            raise UsageError(f"{directory}: no trial {trial!r}; {phase} has {len(known)} trials, numbered from 0")
        found = known[number]
    run = RunDirectory(directory / FOLDERS[phase] / str(found.number))
    outcome = run.outcome()
    return {
        "trial": str(RunKey(phase, found.number)),
        "state": found.state.name,
        "params": found.params,
        "attempts": found.user_attrs[TrialAttribute.ATTEMPT],
        "error": found.user_attrs.get(TrialAttribute.ERROR),
        "outcome": asdict(outcome) if outcome else None,
        "epochs": [asdict(row) for row in run.epochs()],
    }


def table(found: dict[str, Any]) -> Table:
    """Returns the result of ``rows`` as a table with one row per epoch and the error as a note."""
    shown = {name: head for name, head in COLUMNS.items() if any(name in row["metrics"] for row in found["epochs"])}
    body = tuple(
        (row["epoch"], *(_cell(name, row["metrics"].get(name)) for name in shown), f"{row['epoch_seconds']:.2f}")
        for row in found["epochs"]
    )
    point = ", ".join(f"{symbol(name).text} {_number(x)}" for name, x in found["params"].items())
    title = f"{found['trial']}: {found['state']}, attempt {found['attempts']}{f', {point}' if point else ''}"
    notes = (f"error: {shortened(found['error'], LONGEST_ERROR)}",) if found["error"] else ()
    return Table(title, ("epoch", *shown.values(), "seconds"), body, notes)


def _cell(name: str, value: float | None) -> str | None:
    if value is None:
        return None
    return f"{100 * value:.2f}" if name.endswith("_error") else f"{value:.4f}"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def first_error(directory: Path) -> str:
    """Returns the error of the first failed search trial."""
    with open_study(directory) as study:
        failed = [trial for trial in study.store.trials("search") if trial.state.name == "FAIL"]
    return str(failed[0].user_attrs.get(TrialAttribute.ERROR)) if failed else "nothing"
