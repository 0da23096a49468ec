"""Examines each node of a cluster before the first trial: its code, its library versions, and its access to the files.

The files are in the study directory, which all nodes share, or in an object store.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.cluster.requirements import other_code, other_directory, sees_marker
from study.errors import ServiceError
from study.state import provenance, run_collection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANSWER_SECONDS = 60


@dataclass(frozen=True)
class NodeReport:
    """Report of a node about itself.

    Attributes:
        host: Host name.
        code: Digest of the code that is installed on the node.
        versions: Versions of Python and the libraries.
        reads: Whether the node sees the driver's marker file in the study directory; False with an object store.
        error: Reason why the node cannot write to the study directory or use the object store; None if it can.
    """

    host: str
    code: str
    versions: Mapping[str, str]
    reads: bool
    error: str | None


def examine(marker: Path | None, uri: str | None = None, seconds: float = ANSWER_SECONDS) -> list[str]:
    """Examines every node of the connected cluster in parallel.

    Args:
        marker: The driver's marker file in the study directory, which all nodes must share; None with an object store.
        uri: URI of the object store.
        seconds: Time limit for all nodes together.

    Returns:
        Harmless differences, one line per node.

    Raises:
        ServiceError: A node does not answer, has no or other code of cs-kd-study, or cannot access the files.
    """
    found = _reports(marker, uri, seconds)
    for address, report in found.items():
        refuse_unfit(address, report, marker)
    return [
        line
        for address, report in found.items()
        for line in version_differences(address, report.versions, provenance.versions())
    ]


def _reports(marker: Path | None, uri: str | None, seconds: float) -> dict[str, NodeReport]:
    """Collects the reports of all nodes, by address."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    inspect = ray.remote(num_cpus=0, max_retries=0)(inspect_node)
    replies = {
        inspect.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            marker, uri
        ): address
        for node, address in nodes.items()
    }
    ray.wait(list(replies), num_returns=len(replies), timeout=seconds)
    return {address: _report_of(reply, address) for reply, address in replies.items()}


def inspect_node(marker: Path | None, uri: str | None = None) -> NodeReport:
    """Runs on a node: looks for the driver's marker file and writes one beside it, or tries the object store."""
    reads, error = _uses_store(str(uri)) if marker is None else _shares_directory(marker)
    return NodeReport(socket.gethostname(), provenance.code_digest(), provenance.versions(), reads, error)


def _uses_store(uri: str) -> tuple[bool, str | None]:
    try:
        run_collection.check_access(uri)
    except OSError as caught:
        return False, str(caught)
    return False, None


def _shares_directory(marker: Path) -> tuple[bool, str | None]:
    try:
        marker.with_name(f"{marker.name}.{socket.gethostname()}").write_text("here")
        error = None
    except OSError as caught:
        error = caught.strerror or str(caught)
    return sees_marker(marker), error


def refuse_unfit(address: str, report: NodeReport, marker: Path | None) -> None:
    """Checks the report of a node.

    Args:
        address: Address of the node.
        report: Report of the node.
        marker: The driver's marker file in the study directory; None with an object store.

    Raises:
        ServiceError: The node cannot run trials, or would run them with other code.
    """
    if marker is not None:
        _refuse_unshared(address, report, marker)
    elif report.error is not None:
        raise ServiceError(f"node {address}: {report.error}; every node needs credentials and a network route")
    if reason := other_code(report.code, provenance.code_digest()):
        raise ServiceError(f"node {address}: {reason}; install the same version on every node")


def _refuse_unshared(address: str, report: NodeReport, marker: Path) -> None:
    if report.reads and report.error is not None:
        raise ServiceError(f"node {address}: {marker.parent} cannot be written: {report.error}")
    shared = report.reads and marker.with_name(f"{marker.name}.{report.host}").exists()
    if reason := other_directory(marker, shared):
        cause = "" if report.error is None else f": {report.error}"
        raise ServiceError(
            f"node {address}: {reason}; all nodes must share it (NFS), or the study needs an object store "
            f"(artifacts: {{uri: s3://…}}){cause}"
        )


def version_differences(address: str, there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Lists the libraries whose versions differ between a node and the driver.

    Example:
        >>> version_differences("10.0.0.2", {"torch": "2.12.0", "ray": "2.60.0"}, {"torch": "2.13.0", "ray": "2.60.0"})
        ['node 10.0.0.2: torch 2.12.0, here 2.13.0; results may differ in the last digits']
    """
    differing = [
        f"{name} {there.get(name, 'missing')}, here {version}"
        for name, version in here.items()
        if there.get(name) != version
    ]
    return [f"node {address}: {'; '.join(differing)}; results may differ in the last digits"] if differing else []


def _report_of(reply: Any, address: str) -> NodeReport:
    import ray
    from ray.exceptions import GetTimeoutError, RayError

    try:
        report = ray.get(reply, timeout=0)
    except GetTimeoutError:
        raise ServiceError(f"node {address}: does not answer; `ray status` on the head shows why") from None
    except RayError as error:
        if "ModuleNotFoundError" in str(error):
            raise ServiceError(
                f"node {address}: cs-kd-study is not installed there; install it on every node"
            ) from error
        raise ServiceError(f"node {address}: {str(error).strip().splitlines()[-1]}") from error
    assert isinstance(report, NodeReport)  # noqa: S101 - narrows the type for mypy
    return report
