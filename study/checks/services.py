"""Ray and MLflow: whether they answer, and whom they let in."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from study import environment
from study.checks.finding import Finding
from study.errors import UsageError, without_password

SECONDS = 2
DASHBOARD_PORT = 8265
OPEN_CLUSTER = (
    "whoever reaches this port can run code: start Ray with RAY_AUTH_MODE=token, and close the port to others"
)


def check(address: str | None) -> Iterator[Finding]:
    """Ray where an address is given, by flag or environment; then MLflow."""
    address = address or os.environ.get("RAY_ADDRESS") or environment.LOCAL
    yield from (local_ray(),) if address == environment.LOCAL else cluster(address)
    yield mlflow(os.environ.get("MLFLOW_TRACKING_URI"))


def local_ray() -> Finding:
    """A Ray of our own, which begins and ends with each study."""
    mode = os.environ.get("RAY_AUTH_MODE")
    if mode == "disabled":
        return Finding(
            "warning", "ray address", "local, RAY_AUTH_MODE=disabled", "unset it: a local Ray then asks for a token"
        )
    return Finding("ok", "ray address", "local: a Ray of our own for each study, which asks for a token")


def cluster(address: str) -> Iterator[Finding]:
    """Whether a cluster answers, and whether it asks for a token."""
    try:
        host, port = environment.cluster_address(address)
    except UsageError as error:
        yield Finding("problem", "ray address", without_password(str(error)), "correct it")
        return
    if reason := environment.why_silent(host, port):
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
    status = _status(f"http://{place}/api/version")
    if isinstance(status, str):
        return Finding("ok", "ray jobs", f"{place} does not answer from here ({status})")
    if status in (401, 403):
        return Finding("ok", "ray jobs", f"{place} asks for a token ({status})")
    if status == 200:
        return Finding("problem", "ray jobs", f"{place} answers without a token", OPEN_CLUSTER)
    return Finding("warning", "ray jobs", f"{place} answers {status}", "see what listens there")


def mlflow(uri: str | None) -> Finding:
    """Whether the tracking server answers; a study goes on without it and is caught up by ``cskd sync``."""
    if not uri:
        return Finding("ok", "mlflow", "the local store of each storage folder (MLFLOW_TRACKING_URI is not set)")
    shown = without_password(uri)
    if not uri.startswith(("http://", "https://")):
        return _store(uri, shown)
    status = _health(uri)
    if status == 200:
        return Finding("ok", "mlflow", f"{shown} answers")
    if status in (401, 403):
        return Finding("ok", "mlflow", f"{shown} answers and asks who is there ({status})")
    cure = "start it, or unset MLFLOW_TRACKING_URI; a study goes on without it, and `cskd sync` catches up"
    return Finding("warning", "mlflow", f"{shown}: {status if isinstance(status, str) else f'answers {status}'}", cure)


def _health(uri: str) -> int | str:
    """What the server says of its health to someone without a password."""
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        return str(error)
    host = parts.netloc.rpartition("@")[2]
    return _status(parts._replace(netloc=host, path=f"{parts.path.rstrip('/')}/health").geturl())


def _store(uri: str, shown: str) -> Finding:
    if not uri.startswith("sqlite:///"):
        return Finding("ok", "mlflow", f"{shown} (a database; not looked at)")
    folder = Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute().parent
    if os.access(folder, os.W_OK):
        return Finding("ok", "mlflow", f"{shown} (its folder is writable)")
    return Finding("warning", "mlflow", f"{shown}: {folder} is missing or not writable", "make it, or correct the URI")


def _status(url: str) -> int | str:
    """The HTTP status that a bare request gets, or why there is none."""
    request = urllib.request.Request(url, headers={"User-Agent": "cskd-doctor"})  # noqa: S310 - http, built above
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError, UnicodeError) as error:
        return _reason(error)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer of its own, and may lead elsewhere."""

    def redirect_request(self, *_: object) -> None:
        """Follows none."""


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
