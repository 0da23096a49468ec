"""Resolves and checks the MLflow tracking URI of a study."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from analysis.words.safe_text import HIDDEN
from study.errors import ServiceError, UsageError

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql")


def tracking_uri(given: str | None, recorded: str | None, storage: Path) -> str:
    """Returns the MLflow tracking URI of a study.

    The environment variable ``MLFLOW_TRACKING_URI`` takes precedence over the arguments.

    Args:
        given: URI from the study file; None if the file gives none.
        recorded: URI that tracked the study before, so that a resumed study keeps it; None for a new study.
        storage: Storage folder, whose SQLite database ``mlflow.db`` is the default.

    Raises:
        ServiceError: The recorded URI had a user or password, which is not stored; the environment must give it again.
    """
    from sqlalchemy.engine import URL

    default = URL.create("sqlite", database=str(storage / "mlflow.db"))  # escapes ? and % in the path
    chosen = os.environ.get("MLFLOW_TRACKING_URI") or given or recorded or default.render_as_string()
    if HIDDEN in chosen:
        raise ServiceError(f"the study is tracked at {chosen}, with a user or password; set MLFLOW_TRACKING_URI again")
    return chosen


def mistake(uri: str) -> str | None:
    """Returns why MLflow does not accept a URI, or None if it does; the text never shows the URI's password.

    Example:
        >>> mistake("localhost:5000")
        'a URI begins with one of http:, https:, sqlite:, postgresql:, mysql:, mssql:'
        >>> mistake("http://host:port")
        'is not a URI'
    """
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - raises ValueError if the port is not a number
    except ValueError:
        return "is not a URI"
    if parts.scheme.partition("+")[0] in SCHEMES:
        return None
    return f"a URI begins with one of {', '.join(f'{name}:' for name in SCHEMES)}"


def check_environment() -> None:
    """Checks ``MLFLOW_TRACKING_URI`` before a study starts; it need not be reachable.

    Raises:
        UsageError: The variable is not a URI of a server or database.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given and (why := mistake(given)):
        raise UsageError(f"MLFLOW_TRACKING_URI: {why}; correct or unset it")
