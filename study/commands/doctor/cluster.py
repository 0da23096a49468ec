"""Checks that Ray is reachable, requires a token, and runs the same software on every node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from analysis.words.safe_text import without_password
from analysis.words.wording import number_of
from study.cluster import connection, examination
from study.cluster.requirements import marker_file
from study.commands.doctor.finding import Finding
from study.commands.doctor.web import status
from study.errors import ServiceError, UsageError

DASHBOARD_PORT = 8265
OPEN_CLUSTER = (
    "anyone who can reach this port can run code: start Ray with RAY_AUTH_MODE=token and close the port in the firewall"
)


def check(address: str | None, storage: Path) -> Iterator[Finding]:
    """Checks the Ray cluster at an address.

    Args:
        address: Address of the cluster; None for ``RAY_ADDRESS``, else ``local``.
        storage: Folder of the study directories, which the nodes share.
    """
    address = address or os.environ.get("RAY_ADDRESS") or connection.LOCAL
    if address == connection.LOCAL:
        yield Finding("ok", "ray address", "local: each study starts its own Ray, which requires a token")
        return
    unreachable = False
    for finding in cluster(address):
        unreachable = unreachable or finding.level == "problem"
        yield finding
    if not unreachable:
        yield from compare_nodes(address, storage)


def compare_nodes(address: str, storage: Path) -> Iterator[Finding]:
    """Compares code, libraries and storage folder of each node with this machine's; leaves nothing behind."""
    if not storage.is_dir():
        yield Finding("ok", "ray nodes", f"not compared: the shared folder {storage} does not exist yet")
        return
    try:
        with connection.ray_connection(address) as found, marker_file(storage) as mark:
            different = examination.examine(mark)
    except (ServiceError, UsageError) as error:
        yield Finding(
            "problem", "ray nodes", without_password(str(error)), "correct this, then run `cskd doctor` again"
        )
        return
    for line in different:
        yield Finding("warning", "ray nodes", line, "install the same versions on every node")
    if not different:
        nodes = number_of(len(found.nodes), "node")
        yield Finding("ok", "ray nodes", f"{nodes} with the same code and libraries; all share {storage}")


def cluster(address: str) -> Iterator[Finding]:
    """Checks that a cluster is reachable and that it requires a token."""
    try:
        host, port = connection.cluster_address(address)
    except UsageError as error:
        yield Finding("problem", "ray address", without_password(str(error)), "correct --address or RAY_ADDRESS")
        return
    if reason := connection.why_unreachable(host, port):
        yield Finding(
            "problem",
            "ray address",
            f"{address}: {reason}",
            "check the address, the firewall, and `ray status` on the head node",
        )
    else:
        yield Finding("ok", "ray address", f"{address} is reachable")
    if os.environ.get("RAY_AUTH_MODE") != "token":
        yield Finding("warning", "ray token", "RAY_AUTH_MODE is not token here", "set it to the value on the head node")
    yield dashboard(host)


def dashboard(host: str) -> Finding:
    """Checks that the dashboard, which runs jobs, rejects requests without a token."""
    place = f"{host}:{DASHBOARD_PORT}"
    answer = status(f"http://{place}/api/version")
    if isinstance(answer, str):
        return Finding("ok", "ray jobs", f"{place} is not reachable from here ({answer})")
    if answer in (401, 403):
        return Finding("ok", "ray jobs", f"{place} requires a token ({answer})")
    if answer == 200:
        return Finding("problem", "ray jobs", f"{place} accepts requests without a token", OPEN_CLUSTER)
    return Finding(
        "warning", "ray jobs", f"{place} answers with HTTP status {answer}", "check which program uses this port"
    )
