"""Where a study's trials are kept: a SQLite file in its directory, or a database server that studies share."""

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
LOCK_SECONDS = 60  # that a SQLite file may stay locked by another process
OUTAGE_SECONDS = 60  # that a server may be away while a study runs
CONNECT_SECONDS = 10
DRIVERS = {"postgresql": "postgresql+psycopg"}
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "fuse.sshfs"}
)
MOUNTS = Path("/proc/self/mounts")


def place_of(database: Database | None, directory: Path) -> URL:
    """The URL of the database that holds a study.

    Args:
        database: As the study file names it; None is the file of the study directory.
        directory: The study directory.

    Raises:
        UsageError: The environment variable is not set, or holds no URL of a PostgreSQL database; or the driver for it
            is not installed.
    """
    if database is None:
        return file_url(directory / FILE_NAME)
    given = os.environ.get(database.env)
    cure = f"set {database.env} to postgresql://USER:PASSWORD@HOST/DATABASE"
    if not given:
        raise UsageError(f"database.env: {database.env} is not set in the environment; {cure}")
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):  # its message would show the password
        raise UsageError(f"database.env: {database.env} holds no URL; {cure}") from None
    if url.get_backend_name() != "postgresql":
        raise UsageError(
            f"database.env: {database.env} is a URL of {url.get_backend_name()}, not of PostgreSQL; {cure}"
        )
    if find_spec("psycopg") is None:
        raise UsageError("database: PostgreSQL needs psycopg: pip install 'cs-kd-study[postgresql]'")
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def file_url(path: Path) -> URL:
    """The URL of a SQLite file."""
    return URL.create("sqlite", database=str(path))  # quotes what a URL would read: ? and %


def shown(place: URL) -> str:
    """A database in messages: its file, or its URL without user, password and options."""
    if place.get_backend_name() == "sqlite":
        return str(place.database)
    return URL.create("postgresql", host=place.host, port=place.port, database=place.database).render_as_string()


def engine_options(place: URL) -> dict[str, Any]:
    """What SQLAlchemy's engine is made with."""
    if place.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": LOCK_SECONDS}}
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_SECONDS}}


def outlast_outages(engine: Engine) -> None:
    """Lets an engine wait for a server that is away; of a connection that it made before, only the loss is noticed.

    To be called after the first connection, so that a wrong address or password is told at once.
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
    """SQLite's locks do not hold on network file systems; a study there needs a database server.

    Args:
        folder: Where the file would be; need not exist.
        mounts: Lines of the mount table; this machine's by default.

    Raises:
        CannotCreateError: The folder is on a network file system.
    """
    kind = _file_system(folder.absolute(), MOUNTS.read_text().splitlines() if mounts is None else mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise CannotCreateError(
            f"{folder}: lies on a network file system ({kind}), where SQLite's locks do not hold; take a local "
            "--storage, or keep the trials in PostgreSQL: database: {env: CSKD_DATABASE_URL}"
        )


def _file_system(path: Path, mounts: Iterable[str]) -> str:
    """Type of the file system that holds a path: of the longest mount point above it, the last one mounted."""
    found = [line.split()[1:3] for line in mounts]
    points = [(Path(point.encode().decode("unicode_escape")), kind) for point, kind in found]
    holding = [
        (len(point.parts), order, kind) for order, (point, kind) in enumerate(points) if path.is_relative_to(point)
    ]
    return max(holding)[2] if holding else ""
