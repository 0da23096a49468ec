"""The MLflow server: whether it answers, and whom else it lets in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from study.commands.doctor.finding import Finding
from study.commands.doctor.web import status
from study.definition.tracking_address import mistake
from study.errors import without_password

STRANGER = "evil.example"
ANY = b'{"max_results": 1}'
SEARCH = "/api/2.0/mlflow/experiments/search"


def check() -> Iterator[Finding]:
    """The server of ``MLFLOW_TRACKING_URI``; a study goes on without it and is caught up by ``cskd sync``."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        yield Finding("ok", "mlflow", "the local store of each storage folder (MLFLOW_TRACKING_URI is not set)")
    elif why := mistake(uri):
        yield Finding("problem", "mlflow", f"MLFLOW_TRACKING_URI: {why}", "correct or unset it")
    elif uri.startswith(("http://", "https://")):
        yield from server(_without_user(uri), without_password(uri))
    else:
        yield store(uri, without_password(uri))


def server(uri: str, shown: str) -> Iterator[Finding]:
    """What a server says to somebody without a password, to another name, and to a stranger's page.

    Args:
        uri: Its address without user and password.
        shown: What messages call it.
    """
    health = status(f"{uri}/health")
    if isinstance(health, str) or health not in (200, 401, 403):
        said = health if isinstance(health, str) else f"answers {health}"
        cure = "start it, or unset MLFLOW_TRACKING_URI; a study goes on without it, and `cskd sync` catches up"
        yield Finding("warning", "mlflow", f"{shown}: {said}", cure)
        return
    yield Finding("ok", "mlflow", f"{shown} answers{'' if health == 200 else f' and asks who is there ({health})'}")
    yield hosts(uri, shown)
    yield origins(uri, shown)


def hosts(uri: str, shown: str) -> Finding:
    """Whether the server answers under any name: then a page from elsewhere can reach it by DNS rebinding."""
    found = status(f"{uri}{SEARCH}?max_results=1", {"Host": STRANGER})
    if found == 200:
        return Finding(
            "warning",
            "mlflow hosts",
            f"{shown} answers under any host name",
            "start it with --allowed-hosts NAME:PORT, its own name only; `cskd ui` does",
        )
    return Finding("ok", "mlflow hosts", f"{shown} refuses other host names ({found})")


def origins(uri: str, shown: str) -> Finding:
    """Whether the server takes changes from pages of other origins."""
    found = status(f"{uri}{SEARCH}", {"Origin": f"http://{STRANGER}", "Content-Type": "application/json"}, ANY)
    if found == 200:
        return Finding(
            "warning",
            "mlflow origins",
            f"{shown} takes requests from pages of any origin",
            "start it with --cors-allowed-origins http://NAME:PORT, its own only; `cskd ui` does",
        )
    return Finding("ok", "mlflow origins", f"{shown} refuses pages of other origins ({found})")


def store(uri: str, shown: str) -> Finding:
    """A database that MLflow opens by itself."""
    if not uri.startswith("sqlite:///"):
        return Finding("ok", "mlflow", f"{shown} (a database; not looked at)")
    folder = Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute().parent
    if os.access(folder, os.W_OK):
        return Finding("ok", "mlflow", f"{shown} (its folder is writable)")
    return Finding("warning", "mlflow", f"{shown}: {folder} is missing or not writable", "make it, or correct the URI")


def _without_user(uri: str) -> str:
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], path=parts.path.rstrip("/")).geturl()
