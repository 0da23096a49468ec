"""Where MLflow shows the runs of a study, and what its client is told."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from study.errors import HIDDEN, ServiceError, UsageError

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql")


def tracking_uri(given: str | None, recorded: str | None, storage: Path) -> str:
    """Where MLflow shows the runs of a study.

    Args:
        given: By the study file; the environment's ``MLFLOW_TRACKING_URI`` wins.
        recorded: Where the study was tracked before, so that a resume goes on there.
        storage: Folder of the study directory; without any of these, a database there is used, which needs no server.
    """
    from sqlalchemy.engine import URL

    default = URL.create("sqlite", database=str(storage / "mlflow.db"))  # quotes what a URL would read: ? and %
    chosen = os.environ.get("MLFLOW_TRACKING_URI") or given or recorded or default.render_as_string()
    if HIDDEN in chosen:
        raise ServiceError(f"the study is tracked at {chosen}, with a user or password; set MLFLOW_TRACKING_URI again")
    return chosen


def mistake(uri: str) -> str | None:
    """Why MLflow takes no such URI, without showing it, for it may hold a password; None where it does.

    Example:
        >>> mistake("localhost:5000")
        'a URI begins with one of http:, https:, sqlite:, postgresql:, mysql:, mssql:'
        >>> mistake("http://host:port")
        'is no URI'
    """
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return "is no URI"
    if parts.scheme.partition("+")[0] in SCHEMES:
        return None
    return f"a URI begins with one of {', '.join(f'{name}:' for name in SCHEMES)}"


def refuse_mistake() -> None:
    """Looks at ``MLFLOW_TRACKING_URI`` before a study begins; a server that does not answer is no reason to refuse.

    Raises:
        UsageError: It is no URI of a server or database.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given and (why := mistake(given)):
        raise UsageError(f"MLFLOW_TRACKING_URI: {why}; correct or unset it")
