"""Runs a local PostgreSQL server from the programs installed on this machine; it listens locally, with a password."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import URL

from study.errors import ServiceError

HOST = "127.0.0.1"
USER = "cskd"
NOBODY = 65534  # user id of the server if this process is root, because PostgreSQL refuses to run as root
DEBIAN = Path("/usr/lib/postgresql")  # Debian installs the programs here, outside PATH
TIMEOUT_SECONDS = 60
NOT_INSTALLED = (
    "PostgreSQL's programs (initdb, pg_ctl) are not on this machine: apt-get install postgresql, or dnf install "
    "postgresql-server; or give --sqlite, which keeps MLflow's runs in one file and each study's trials in another"
)


class LocalPostgreSQL:
    """PostgreSQL server with its data in a folder.

    Args:
        folder: Folder of the data and the log; created if missing.
        port: Port that the server listens on.
        password: Password of its only user.

    Raises:
        ServiceError: Every method may raise it: a program is missing or fails. The message holds the last line of its
            output.
    """

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._port = port
        self._password = password
        self._user = NOBODY if os.geteuid() == 0 else None

    def url(self, database: str, driver: str = "postgresql") -> str:
        """Returns the URL of a database, with the password."""
        url = URL.create(driver, USER, self._password, HOST, self._port, database)
        return url.render_as_string(hide_password=False)

    def is_running(self) -> bool:
        """Returns whether the server runs; the process file of a killed server does not count."""
        return self._data.exists() and self._control("status").returncode == 0

    def start(self) -> None:
        """Starts the server and waits until it answers; creates its data at the first start."""
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        settings = f"-p {self._port} -c listen_addresses={HOST} -c unix_socket_directories="
        self._check(
            self._control("-w", "-t", str(TIMEOUT_SECONDS), "-l", str(self._folder / "log"), "-o", settings, "start")
        )

    def stop(self) -> None:
        """Shuts the server down cleanly."""
        self._check(self._control("-w", "-t", str(TIMEOUT_SECONDS), "-m", "fast", "stop"))

    def create(self, *databases: str) -> None:
        """Creates the databases that are missing."""
        import psycopg
        from psycopg import sql

        try:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                existing = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
                for name in sorted(set(databases) - existing):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.Error as error:
            raise ServiceError(f"PostgreSQL at {HOST}:{self._port}: {str(error).splitlines()[0]}") from error

    def _initialise(self) -> None:
        """Creates the data in a temporary folder and renames it, so that the data folder is always complete."""
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        if self._user is not None:
            os.chown(self._folder, NOBODY, NOBODY)
        with self._password_file() as secret:
            arguments = ("-D", str(unfinished), "-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C")
            self._check(self._run("initdb", *arguments, f"--pwfile={secret}"))
        unfinished.rename(self._data)

    @contextlib.contextmanager
    def _password_file(self) -> Iterator[str]:
        with tempfile.NamedTemporaryFile("w", dir=self._folder) as file:  # created with mode 0600
            file.write(self._password)
            file.flush()
            if self._user is not None:
                os.chown(file.name, NOBODY, NOBODY)
            yield file.name

    def _control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run("pg_ctl", "-D", str(self._data), *arguments)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryFile("w+") as output:  # not a pipe, because the server would keep it open
            done = subprocess.run(  # noqa: S603
                [str(programs() / program), *arguments],
                check=False,
                user=self._user,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=2 * TIMEOUT_SECONDS,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read())

    def _check(self, done: subprocess.CompletedProcess[str]) -> None:
        if done.returncode:
            lines = [line for line in done.stdout.splitlines() if line.strip()] or ["it printed nothing"]
            raise ServiceError(f"PostgreSQL in {self._folder}: {lines[-1]}; its log is {self._folder / 'log'}")


def programs() -> Path:
    """Returns the folder of ``initdb`` and ``pg_ctl`` of the newest version.

    Raises:
        ServiceError: PostgreSQL is not installed.
    """
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(DEBIAN.glob("*/bin"), key=_version)
    if not folders or not (folders[-1] / "pg_ctl").exists():
        raise ServiceError(NOT_INSTALLED)
    return folders[-1]


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0
