"""Builds the appendix tables of a report: all trials, readings of the test set, launches, versions and digests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from analysis.drawing import style
from analysis.records import frames, parameters
from analysis.records.result_files import PHASES
from analysis.tables.table import Table
from analysis.words.wording import STATES, metric_words, shortened, spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analysis.records.result_files import Results
    from analysis.tables.table import Cell

_COMMIT_DIGITS = 12


def trials_table(results: Results) -> Table:
    """Returns one row per run, with its parameters, values, cost and state."""
    names = [parameter.name for parameter in parameters.searched(results)]
    metric = frames.objective(results)
    test = f"test/{metric.rpartition('/')[2]}"
    heads = [parameter.label for parameter in parameters.searched(results)]
    values = [f"{metric_words(name)}, {style.unit_of(name)}" for name in (metric, test)]
    columns = (
        "run",
        "arm",
        "state",
        "method",
        "seed",
        *heads,
        *values,
        "epochs",
        "seconds",
        "attempts",
        "error",
        "reused from",
    )
    frames_of_runs = (results.trials, results.confirmations)
    rows: list[Any] = [row for frame in frames_of_runs for row in frame.to_dict("records")]
    rows.sort(key=lambda row: (PHASES.index(row["phase"]), row["trial"]))
    return _without_empty(Table("Trials", columns, tuple(_trial(row, names, metric, test) for row in rows)))


def ledger_table(results: Results) -> Table:
    """Returns one row per reading of the test set, in order."""
    columns = ("time (UTC)", "arm", "seed", "run", "attempt", "data set", "images", "configuration", "host")
    keys = ("arm", "seed", "trial", "attempt", "dataset", "images", "config_digest", "host")
    rows = tuple((_time(line), *(_cell(line.get(key)) for key in keys)) for line in results.study["ledger"])
    return Table("Readings of the test set", columns, rows)


def launches_table(results: Results) -> Table:
    """Returns one row per launch or resume: time, command, code, and changes that the user allowed."""
    columns = ("time (UTC)", "action", "command", "commit", "code digest", "allowed changes", "host", "platform")
    rows = tuple(_launch(line) for line in results.study.get("provenance", ()))
    return Table("Launches", columns, rows)


def versions_table(results: Results) -> Table:
    """Returns one row per library; one column for the launch and for each resume with other versions."""
    lines = [(_time(line), line.get("versions") or {}) for line in results.study.get("provenance", ())]
    kept = [line for place, line in enumerate(lines) if place == 0 or line[1] != lines[place - 1][1]]
    libraries = dict.fromkeys(name for _, versions in kept for name in versions)
    rows = tuple((name, *(_cell(versions.get(name)) for _, versions in kept)) for name in libraries)
    return Table("Versions", ("library", *(str(time) for time, _ in kept)), rows)


def digests_table(results: Results) -> Table:
    """Returns one row per digest of the study."""
    rows = tuple((name, _cell(digest)) for name, digest in results.study["digests"].items())
    return Table("Digests", ("name", "digest"), rows)


def _trial(row: Mapping[str, Any], names: list[str], metric: str, test: str) -> tuple[Cell, ...]:
    values = [spread(_cell(row.get(name)), None, name) for name in (metric, test)]  # type: ignore[arg-type]
    return (
        f"{row['phase']}/{row['trial']}",
        *(_cell(row.get("arm")), STATES.get(row["state"], row["state"]), _cell(row["method"]), _cell(row["seed"])),
        *(_cell(row.get(f"params/{name}")) for name in names),
        *values,
        *(_cell(row["epochs"]), _seconds(row["duration_seconds"]), _cell(row["attempts"]), _cell(row["error"])),
        _cell(row.get("reused_from")),
    )


def _launch(line: Mapping[str, Any]) -> tuple[Cell, ...]:
    allowed = ", ".join(map(str, line.get("allowed") or ())) or None
    code = (line.get("digests") or {}).get("code")
    commit, _, changes = str(line.get("commit") or "").partition("+")
    return (
        _time(line),
        *(_cell(line.get(key)) for key in ("action", "command")),
        " + ".join(part for part in (commit[:_COMMIT_DIGITS], changes) if part) or None,
        *(_cell(code), _cell(allowed), _cell(line.get("host")), _cell(line.get("platform"))),
    )


def _cell(value: Any) -> Cell:
    """Returns a value as a cell: NaN is empty, text is cut."""
    if value is None or value != value:  # noqa: PLR0124
        return None
    if isinstance(value, bool | str):
        return shortened(str(value))
    return value if isinstance(value, int | float) else shortened(str(value))


def _seconds(value: Any) -> Cell:
    cell = _cell(value)
    return f"{cell:.1f}" if isinstance(cell, int | float) else None


def _time(line: Mapping[str, Any]) -> Cell:
    time = line.get("time")
    if not isinstance(time, int | float):
        return None
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _without_empty(table: Table) -> Table:
    kept = [i for i in range(len(table.columns)) if any(row[i] is not None for row in table.rows)]
    rows = tuple(tuple(row[i] for i in kept) for row in table.rows)
    return Table(table.title, tuple(table.columns[i] for i in kept), rows, table.notes)
