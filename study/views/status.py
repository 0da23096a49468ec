"""Describes the current state of a study from its database; works while its driver runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.tables.table import Cell, Table
from analysis.words.wording import metric_words, reuse_words, spread, with_unit
from search_spaces.symbols import symbol
from study.phases import sequence
from study.search.ranking import ranked
from study.state import lease
from study.state.attribute_names import StudyAttribute, TrialAttribute
from study.state.optuna_store import PHASES, rank_value
from trainables.runs.run_key import RunKey

if TYPE_CHECKING:
    from study.state.directory import OpenStudy


def describe(study: OpenStudy) -> dict[str, Any]:
    """Returns the study's state, driver, counts by phase and state, and best trial so far, ready for JSON."""
    phases = sequence.counts_of(study)
    held = lease.is_held(study.directory)
    best = ranked(study)
    return {
        "name": study.config.name,
        "directory": str(study.directory),
        "state": sequence.state_of(phases, held=held, until=study.store.attribute(StudyAttribute.UNTIL)),
        "driver": str(lease.holder(study.directory)) if held else None,
        "artifacts": study.config.artifacts.uri if study.config.artifacts else None,
        "objective": study.config.objective,
        "phases": phases,
        "left_out": study.store.attribute(StudyAttribute.EXCLUDED_NODES) or [],
        "reused": _reused(study),
        "best": {"trial": best[0].number, "value": rank_value(best[0]), "params": best[0].params} if best else None,
    }


def table(found: dict[str, Any]) -> Table:
    """Returns the result of ``describe`` as a table."""
    columns = ("phase", "planned", "running", "done", "pruned", "failed")
    keys = ("planned", "RUNNING", "COMPLETE", "PRUNED", "FAIL")
    rows = tuple((name, *(counts[key] for key in keys)) for name, counts in found["phases"].items())
    driver = f" (driver {found['driver']})" if found["driver"] else ""
    return Table(
        f"{found['name']}: {found['state']}{driver}",
        columns,
        rows,
        (_best(found), *_reuse_note(found), *_object_store_note(found), *_exclusion_notes(found)),
    )


def summary(found: list[dict[str, Any]]) -> Table:
    """Returns a table of several studies, one row for each result of ``describe``."""
    rows: list[tuple[Cell, ...]] = []
    for item in found:
        if "error" in item:
            rows.append((item["name"], f"unreadable: {item['error']}", None, None, None))
            continue
        search = item["phases"]["search"]
        trials = f"{search['COMPLETE']}/{search['planned']}"
        rows.append((item["name"], item["state"], trials, item["objective"], _value(item)))
    count = f"{len(found)} {'study' if len(found) == 1 else 'studies'}"
    return Table(count, ("study", "state", "trials", "objective", "best"), tuple(rows))


def _reused(study: OpenStudy) -> dict[str, str]:
    """Returns the runs that reuse another study's epochs, each with its source."""
    return {
        str(RunKey(phase, trial.number)): trial.user_attrs[TrialAttribute.REUSED_FROM]
        for phase in PHASES
        for trial in study.store.trials(phase)
        if TrialAttribute.REUSED_FROM in trial.user_attrs
    }


def _reuse_note(found: dict[str, Any]) -> list[str]:
    sources = [label.partition("/")[0] for label in found["reused"].values()]
    return [reuse_words(sources)] if sources else []


def _exclusion_notes(found: dict[str, Any]) -> list[str]:
    return [f"node {each['node']} was excluded: {each['reason']}" for each in found["left_out"]]


def _object_store_note(found: dict[str, Any]) -> list[str]:
    return [f"workers write to {found['artifacts']}"] if found["artifacts"] else []


def _best(found: dict[str, Any]) -> str:
    best = found["best"]
    if best is None:
        return "no trial has completed yet"
    point = ", ".join(
        f"{symbol(name).text} {x:.4g}" if isinstance(x, float) else f"{name} {x}" for name, x in best["params"].items()
    )
    return f"best so far: search/{best['trial']}, {metric_words(found['objective'])} {_value(found)} ({point})"


def _value(found: dict[str, Any]) -> str | None:
    """Returns the best value as tables print it, such as ``4.05 %``."""
    best, metric = found["best"], found["objective"]
    return with_unit(spread(best["value"], None, metric), metric) if best else None
