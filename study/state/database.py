"""Locates the database of a study's trials: an SQLite file in its directory, or a shared PostgreSQL server."""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from study.errors import CannotCreateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Dialect, Engine

    from study.definition.service_sections import Database

FILE_NAME = "optuna.db"
LOCK_SECONDS = 60  # time to wait for an SQLite file that another process has locked
OUTAGE_SECONDS = 60  # time to wait for an unreachable server while a study runs
CONNECT_SECONDS = 10
DRIVERS = {"postgresql": "postgresql+psycopg"}
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "fuse.sshfs"}
)
MOUNTS = Path("/proc/self/mounts")


def url_of(database: Database | None, directory: Path) -> URL:
    """Returns the URL of a study's database.

    Args:
        database: Section ``database`` of the study file; None for the SQLite file in the study directory.
        directory: Directory of the study.

    Raises:
        UsageError: The environment variable is not set, or its value is not the URL of a PostgreSQL database; or
            psycopg is not installed.
    """
    if database is None:
        return file_url(directory / FILE_NAME)
    given = os.environ.get(database.env)
    cure = f"set {database.env} to postgresql://USER:PASSWORD@HOST/DATABASE"
    if not given:
        raise UsageError(f"database.env: {database.env} is not set in the environment; {cure}")
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):  # the original message would show the password
        raise UsageError(f"database.env: {database.env} does not hold a URL; {cure}") from None
    if url.get_backend_name() != "postgresql":
        raise UsageError(
            f"database.env: {database.env} is a URL of {url.get_backend_name()}, not of PostgreSQL; {cure}"
        )
    if find_spec("psycopg") is None:
        raise UsageError("database: PostgreSQL needs psycopg: pip install 'cs-kd-study[postgresql]'")
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def file_url(path: Path) -> URL:
    """Returns the URL of an SQLite file."""
    return URL.create("sqlite", database=str(path))  # escapes ? and %


def shown(url: URL) -> str:
    """Formats a database for messages: its file, or its URL without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return URL.create("postgresql", host=url.host, port=url.port, database=url.database).render_as_string()


def engine_options(url: URL) -> dict[str, Any]:
    """Returns the options of SQLAlchemy's engine for a database."""
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": LOCK_SECONDS}}
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_SECONDS}}


def outlast_outages(engine: Engine) -> None:
    """Makes an engine retry new connections while the server is unreachable.

    To be called after the first connection, so that a wrong address or password is reported at once.
    """

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Dialect, _record: object, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        end = time.monotonic() + OUTAGE_SECONDS
        while True:
            try:
                return dialect.connect(*arguments, **options)
            except dialect.loaded_dbapi.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)


def refuse_network_file_system(folder: Path, mounts: Iterable[str] | None = None) -> None:
    """Refuses an SQLite file on a network file system, where SQLite's locks do not work.

    Args:
        folder: Folder of the file; need not exist.
        mounts: Lines of the mount table; by default, this machine's.

    Raises:
        CannotCreateError: The folder is on a network file system.
    """
    kind = _file_system(folder.absolute(), MOUNTS.read_text().splitlines() if mounts is None else mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise CannotCreateError(
            f"{folder}: is on a network file system ({kind}), where SQLite's locks do not work; use a local "
            "--storage, or keep the trials in PostgreSQL: database: {env: CSKD_DATABASE_URL}"
        )


def _file_system(path: Path, mounts: Iterable[str]) -> str:
    """Returns the type of a path's file system: that of its longest mount point, and of those the last mounted."""
    found = [line.split()[1:3] for line in mounts]
    points = [(Path(point.encode().decode("unicode_escape")), kind) for point, kind in found]
    holding = [
        (len(point.parts), order, kind) for order, (point, kind) in enumerate(points) if path.is_relative_to(point)
    ]
    return max(holding)[2] if holding else ""
