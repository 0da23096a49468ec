"""Checks that the MLflow server is reachable and rejects foreign hosts and origins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from analysis.words.safe_text import without_password
from study.commands.doctor.finding import Finding
from study.commands.doctor.web import status
from study.definition.tracking_address import mistake

FOREIGN_HOST = "evil.example"
SEARCH_REQUEST = b'{"max_results": 1}'
SEARCH_PATH = "/api/2.0/mlflow/experiments/search"


def check() -> Iterator[Finding]:
    """Checks the server of ``MLFLOW_TRACKING_URI``; it is optional, because ``cskd sync`` updates MLflow later."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        yield Finding("ok", "mlflow", "local store in each storage folder (MLFLOW_TRACKING_URI is not set)")
    elif why := mistake(uri):
        yield Finding("problem", "mlflow", f"MLFLOW_TRACKING_URI: {why}", "correct or unset MLFLOW_TRACKING_URI")
    elif uri.startswith(("http://", "https://")):
        yield from server(_without_user(uri), without_password(uri))
    else:
        yield store(uri, without_password(uri))


def server(uri: str, shown: str) -> Iterator[Finding]:
    """Checks a server with requests without a password, with a foreign host name, and from a foreign origin.

    Args:
        uri: Address of the server without user and password.
        shown: Address in messages.
    """
    health = status(f"{uri}/health")
    if isinstance(health, str) or health not in (200, 401, 403):
        reason = health if isinstance(health, str) else f"answers with HTTP status {health}"
        cure = "start it, or unset MLFLOW_TRACKING_URI; studies run without it, and `cskd sync` updates MLflow later"
        yield Finding("warning", "mlflow", f"{shown}: {reason}", cure)
        return
    yield Finding("ok", "mlflow", f"{shown} is reachable{'' if health == 200 else f' and requires a login ({health})'}")
    yield hosts(uri, shown)
    yield origins(uri, shown)


def hosts(uri: str, shown: str) -> Finding:
    """Checks that the server rejects foreign host names; otherwise a web page can reach it by DNS rebinding."""
    found = status(f"{uri}{SEARCH_PATH}?max_results=1", {"Host": FOREIGN_HOST})
    if found == 200:
        return Finding(
            "warning",
            "mlflow hosts",
            f"{shown} accepts any host name",
            "start it with --allowed-hosts NAME:PORT, with its own name only, as `cskd ui` does",
        )
    return Finding("ok", "mlflow hosts", f"{shown} rejects other host names ({found})")


def origins(uri: str, shown: str) -> Finding:
    """Checks that the server rejects requests from pages of other origins."""
    found = status(
        f"{uri}{SEARCH_PATH}", {"Origin": f"http://{FOREIGN_HOST}", "Content-Type": "application/json"}, SEARCH_REQUEST
    )
    if found == 200:
        return Finding(
            "warning",
            "mlflow origins",
            f"{shown} accepts requests from pages of any origin",
            "start it with --cors-allowed-origins http://NAME:PORT, with its own origin only, as `cskd ui` does",
        )
    return Finding("ok", "mlflow origins", f"{shown} rejects pages of other origins ({found})")


def store(uri: str, shown: str) -> Finding:
    """Checks a database that MLflow opens without a server."""
    if not uri.startswith("sqlite:///"):
        return Finding("ok", "mlflow", f"{shown} (a database; not checked)")
    folder = Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute().parent
    if os.access(folder, os.W_OK):
        return Finding("ok", "mlflow", f"{shown} (its folder is writable)")
    return Finding(
        "warning", "mlflow", f"{shown}: {folder} is missing or not writable", "create the folder, or correct the URI"
    )


def _without_user(uri: str) -> str:
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], path=parts.path.rstrip("/")).geturl()
