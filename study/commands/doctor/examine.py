"""Whether this machine can run studies: what it has, what is missing, what to do."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from study.commands.doctor import artifacts, cluster, data, database, libraries, machine, ports, storage, tracking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from study.commands.doctor.finding import Finding


def examine(folder: Path, address: str | None, *, verify_data: bool = False) -> Iterator[Finding]:
    """Looks at everything, in order, without starting or making anything.

    Args:
        folder: Of the study directories; need not exist.
        address: Of Ray; None takes ``RAY_ADDRESS``, else a local one.
        verify_data: Reads every byte of the data sets.
    """
    yield from libraries.check()
    yield from machine.check()
    yield from storage.check(folder)
    yield from artifacts.check(folder)
    yield from data.check(verify=verify_data)
    yield from ports.check()
    yield from cluster.check(address, folder)
    yield from database.check()
    yield from tracking.check()


def summary(findings: Iterable[Finding]) -> dict[str, Any]:
    """All findings and the number of each level; ready for JSON."""
    found = list(findings)
    levels = [finding.level for finding in found]
    return {
        "healthy": "problem" not in levels,
        "problems": levels.count("problem"),
        "warnings": levels.count("warning"),
        "findings": [asdict(finding) for finding in found],
    }
