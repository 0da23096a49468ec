"""Ray: whether it answers, whom it lets in, and whether its nodes are like this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from study.cluster import connection, examination
from study.cluster.requirements import marked
from study.commands.doctor.finding import Finding
from study.commands.doctor.web import status
from study.errors import ServiceError, UsageError, without_password

DASHBOARD_PORT = 8265
OPEN_CLUSTER = (
    "whoever reaches this port can run code: start Ray with RAY_AUTH_MODE=token, and close the port to others"
)


def check(address: str | None, storage: Path) -> Iterator[Finding]:
    """Ray where an address is given, by flag or environment; otherwise what a local one would do."""
    address = address or os.environ.get("RAY_ADDRESS") or connection.LOCAL
    if address == connection.LOCAL:
        yield Finding("ok", "ray address", "local: a Ray of our own for each study, which asks for a token")
        return
    unreachable = False
    for finding in cluster(address):
        unreachable = unreachable or finding.level == "problem"
        yield finding
    if not unreachable:
        yield from alike(address, storage)


def alike(address: str, storage: Path) -> Iterator[Finding]:
    """Asks each node for its code, its libraries and the storage folder; nothing is left there."""
    if not storage.is_dir():
        yield Finding("ok", "ray nodes", f"not compared, for they would share {storage}, which is not there yet")
        return
    try:
        with connection.ray_connection(address) as found, marked(storage) as mark:
            different = examination.examine(mark)
    except (ServiceError, UsageError) as error:
        yield Finding("problem", "ray nodes", without_password(str(error)), "make the nodes alike, then look again")
        return
    for line in different:
        yield Finding("warning", "ray nodes", line, "install the same versions on every node")
    if not different:
        yield Finding("ok", "ray nodes", f"{len(found.nodes)} with this code and these libraries; all share {storage}")


def cluster(address: str) -> Iterator[Finding]:
    """Whether a cluster answers, and whether it asks for a token."""
    try:
        host, port = connection.cluster_address(address)
    except UsageError as error:
        yield Finding("problem", "ray address", without_password(str(error)), "correct it")
        return
    if reason := connection.why_silent(host, port):
        yield Finding(
            "problem", "ray address", f"{address}: {reason}", "check the address, the firewall and `ray status` there"
        )
    else:
        yield Finding("ok", "ray address", f"{address} answers")
    if os.environ.get("RAY_AUTH_MODE") != "token":
        yield Finding("warning", "ray token", "RAY_AUTH_MODE is not token here", "set it as the cluster's head has it")
    yield dashboard(host)


def dashboard(host: str) -> Finding:
    """What the job port says to someone without a token."""
    place = f"{host}:{DASHBOARD_PORT}"
    answer = status(f"http://{place}/api/version")
    if isinstance(answer, str):
        return Finding("ok", "ray jobs", f"{place} does not answer from here ({answer})")
    if answer in (401, 403):
        return Finding("ok", "ray jobs", f"{place} asks for a token ({answer})")
    if answer == 200:
        return Finding("problem", "ray jobs", f"{place} answers without a token", OPEN_CLUSTER)
    return Finding("warning", "ray jobs", f"{place} answers {answer}", "see what listens there")
