"""Shows a running study on one terminal page, from its database: running trials, best trials, rate and cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState
from rich.console import Group
from rich.table import Table
from rich.text import Text

from analysis.statistics.importance import ped_anova
from analysis.words.safe_text import safe_line
from analysis.words.units import clock
from analysis.words.wording import hours
from search_spaces.symbols import symbol
from study.phases import sequence
from study.phases.spending import Spending
from study.search.ranking import ranked
from study.state import lease
from study.state.attribute_names import StudyAttribute
from study.state.optuna_store import rank_value
from trainables.runs.run_directory import RunDirectory
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from study.phases.phase import Phase
    from study.state.directory import OpenStudy

BEST = 5
RECENT_SECONDS = 600
FEWEST_FOR_IMPORTANCE = 8


def describe(study: OpenStudy) -> dict[str, Any]:
    """Returns the content of ``page``, ready for JSON.

    Returns:
        ``name``, ``state``, ``objective``, ``phases`` (as in ``cskd status``), ``running`` (each run with its ``epoch``
        and last ``value``), ``best``, ``importance`` (empty until eight trials have completed), ``epochs_a_minute``
        (over the last ten minutes), ``device_hours`` (running runs included), ``seconds_left`` (None without a rate).
    """
    counts = sequence.counts_of(study)
    phases = sequence.phases_of(study)
    running = [_running(phase, trial) for phase in phases for trial in study.store.running(phase.name)]
    rate = _rate(study, phases)
    until = study.store.attribute(StudyAttribute.UNTIL)
    to_begin = sum(phase.epochs_to_begin() for phase in phases if sequence.is_wanted(phase.name, until))
    epochs_left = to_begin + sum(run["epochs"] - run["epoch"] for run in running)
    best = ranked(study)[:BEST]
    return {
        "name": study.config.name,
        "state": sequence.state_of(counts, held=lease.is_held(study.directory), until=until),
        "objective": study.config.objective,
        "phases": counts,
        "running": running,
        "best": [{"trial": trial.number, "value": rank_value(trial), "params": trial.params} for trial in best],
        "importance": importance(study),
        "epochs_a_minute": 60 * rate,
        "device_hours": Spending(study).device_seconds() / 3600,
        "seconds_left": epochs_left / rate if rate else None if epochs_left else 0.0,
    }


def importance(study: OpenStudy) -> dict[str, float]:
    """Returns the importance of each parameter as a fraction of 1 (PED-ANOVA, Watanabe et al. 2023)."""
    complete = [trial for trial in study.store.trials("search") if trial.state == TrialState.COMPLETE]
    if len(complete) < FEWEST_FOR_IMPORTANCE:
        return {}
    ranking = optuna.create_study(direction=study.config.directions[0])
    ranking.add_trials(
        optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=trial.values[0])
        for trial in complete
    )
    return ped_anova(ranking)


def page(found: dict[str, Any]) -> Group:
    """Returns the result of ``describe`` as a page for the terminal."""
    tables = [_phases(found), *([_runs(found)] if found["running"] else []), *([_best(found)] if found["best"] else [])]
    return Group(Text(f"{found['name']}: {found['state']}"), *tables, Text(_summary(found)))


def _running(phase: Phase, trial: FrozenTrial) -> dict[str, Any]:
    assignment = phase.assignment(trial)
    rows = RunDirectory(assignment.directory).epochs()
    return {
        "phase": phase.name,
        "trial": trial.number,
        "attempt": assignment.attempt,
        "epoch": len(rows),
        "epochs": assignment.config.training.epochs,
        "value": rows[-1].metrics.get(phase.objectives[0]) if rows else None,
    }


def _rate(study: OpenStudy, phases: list[Phase]) -> float:
    """Returns the recent epochs per second of all runs together; 0 without at least two epochs."""
    since = time.time() - RECENT_SECONDS
    times = [
        row.time
        for phase in phases
        for trial in study.store.trials(phase.name)
        if trial.datetime_complete is None or trial.datetime_complete.timestamp() > since
        for row in RunDirectory(phase.run_directory(trial.number)).epochs()
        if row.time > since
    ]
    return (len(times) - 1) / (max(times) - min(times)) if len(times) > 1 and max(times) > min(times) else 0.0


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("", "settings") else "right")
    return table


def _phases(found: dict[str, Any]) -> Table:
    table = _table("", "planned", "running", "done", "pruned", "failed")
    for name, counts in found["phases"].items():
        numbers = (counts[key] for key in ("planned", "RUNNING", "COMPLETE", "PRUNED", "FAIL"))
        table.add_row(name, *map(str, numbers))
    return table


def _runs(found: dict[str, Any]) -> Table:
    table = _table("", "epoch", found["objective"])
    for run in found["running"]:
        attempt = f" (attempt {run['attempt']})" if run["attempt"] > 1 else ""
        value = "-" if run["value"] is None else f"{run['value']:.4f}"
        table.add_row(f"{run['phase']}/{run['trial']}{attempt}", f"{run['epoch']}/{run['epochs']}", value)
    return table


def _best(found: dict[str, Any]) -> Table:
    table = _table("", found["objective"], "settings")
    for trial in found["best"]:
        point = ", ".join(
            f"{symbol(name).text} {x:.4g}" if isinstance(x, float) else f"{symbol(name).text} {x}"
            for name, x in trial["params"].items()
        )
        table.add_row(str(RunKey("search", trial["trial"])), f"{trial['value']:.4f}", safe_line(point))
    return table


def _summary(found: dict[str, Any]) -> str:
    shares = ", ".join(f"{symbol(name).text} {100 * share:.0f} %" for name, share in found["importance"].items())
    parts = [f"importance so far: {shares}"] if shares else []
    parts.append(f"{hours(found['device_hours'])} device-hours")
    if found["state"] != "done":
        left = "?" if found["seconds_left"] is None else clock(found["seconds_left"])
        parts += [f"{found['epochs_a_minute']:.1f} epochs/min", f"{left} left"]
    return " | ".join(parts)
