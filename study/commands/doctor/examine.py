"""Runs all checks of ``cskd doctor`` and summarizes their findings."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from study.commands.doctor import artifacts, cluster, data, database, libraries, machine, ports, storage, tracking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from study.commands.doctor.finding import Finding


def examine(folder: Path, address: str | None, *, verify_data: bool = False) -> Iterator[Finding]:
    """Runs all checks in order; starts no services and leaves nothing behind.

    Args:
        folder: Folder of the study directories; need not exist.
        address: Address of Ray; None for ``RAY_ADDRESS``, else ``local``.
        verify_data: Whether to verify every byte of the data sets.
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
    """Returns all findings with the number of problems and warnings, as JSON-compatible values."""
    all_findings = list(findings)
    levels = [finding.level for finding in all_findings]
    return {
        "healthy": "problem" not in levels,
        "problems": levels.count("problem"),
        "warnings": levels.count("warning"),
        "findings": [asdict(finding) for finding in all_findings],
    }
