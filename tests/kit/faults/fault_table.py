"""Pytest plug-in that writes a table with the test results of each fault and each rejected input.

Use it with ``python -m pytest -p tests.kit.faults.fault_table --fault-table=FILE -m "fault or bad_input"``. A test adds
a measurement to its row with ``record_property("result", ...)``.
"""

import os
import platform
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.kit.faults.fault_list import BAD_INPUTS, FAULTS

KINDS = {"fault": FAULTS, "bad_input": BAD_INPUTS}
TITLES = {"fault": "Faults", "bad_input": "Rejected inputs"}


@dataclass
class Row:
    """Test results of one row of the list."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        return self.passed > 0 and not self.failed

    def __str__(self) -> str:
        if self.failed:
            return f"**fails**: {', '.join(self.failed)}"
        if not self.passed:
            return f"**skipped**: {self.skipped[0]}" if self.skipped else "**no test**"
        tests = f"{self.passed} test{'s' if self.passed > 1 else ''}"
        skipped = f"; {len(self.skipped)} skipped ({self.skipped[0]})" if self.skipped else ""
        return "; ".join([f"as expected ({tests}{skipped})", *self.measured])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fault-table", type=Path, help="file to which the table of faults and rejected inputs is written"
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    for kind in KINDS:
        for mark in item.iter_markers(kind):
            item.user_properties.extend((kind, number) for number in mark.args)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--fault-table") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FaultTable(config.getoption("--fault-table")))


class FaultTable:
    """Collects test reports in the controlling process of a distributed run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun = time.monotonic()
        self._rows: dict[tuple[str, int], Row] = defaultdict(Row)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for kind, number in [each for each in report.user_properties if each[0] in KINDS]:
            row = self._rows[(kind, number)]
            row.seconds += report.duration
            if report.failed:
                row.failed.append(report.nodeid.rpartition("/")[2])
            elif report.skipped:
                row.skipped.append(report.longrepr[2] if isinstance(report.longrepr, tuple) else "")
            elif report.when == "call":
                row.passed += 1
                row.measured += [value for name, value in report.user_properties if name == "result"]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly:
            return
        self._path.write_text(self._text())
        if not all(self._rows[(kind, number)].sound for kind, rows in KINDS.items() for number in rows):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(self._text())

    def _text(self) -> str:
        minutes = (time.monotonic() - self._begun) / 60
        machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        lines = ["# Faults and rejected inputs", "", f"Results of `make faults` ({machine}; {minutes:.0f} min)."]
        for kind in KINDS:
            lines += ["", f"## {TITLES[kind]}", "", *self._lines(kind)]
        return "\n".join([*lines, ""])

    def _lines(self, kind: str) -> list[str]:
        rows = KINDS[kind]
        sound = sum(self._rows[(kind, number)].sound for number in rows)
        body = [self._line(kind, number, *rows[number]) for number in rows]
        head = ["| # | what | expected | result | seconds |", "|--:|---|---|---|--:|"]
        return [f"{sound} of {len(rows)} as expected.", "", *head, *body]

    def _line(self, kind: str, number: int, what: str, expected: str) -> str:
        row = self._rows[(kind, number)]
        return f"| {number} | {what} | {expected} | {row} | {row.seconds:.1f} |"
