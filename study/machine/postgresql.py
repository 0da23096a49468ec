"""A PostgreSQL server of our own, of the programs that are here; it listens on this machine and asks for a password."""

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
NOBODY = 65534  # PostgreSQL refuses to be root
DEBIAN = Path("/usr/lib/postgresql")  # keeps its programs out of the path
SECONDS = 60
ABSENT = (
    "PostgreSQL's programs (initdb, pg_ctl) are not on this machine: apt-get install postgresql, or dnf install "
    "postgresql-server; or give --sqlite, which keeps MLflow's runs in a file and each study's trials in its own"
)


class LocalPostgreSQL:
    """A server whose data lie in a folder.

    Args:
        folder: Of the data and the log; made when missing.
        port: Where it listens.
        password: Of its only user.

    Raises:
        ServiceError: From every method, when a program is missing or fails; the message has its last words.
    """

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._port = port
        self._password = password
        self._user = NOBODY if os.geteuid() == 0 else None

    def url(self, database: str, driver: str = "postgresql") -> str:
        """The URL of a database, with the password."""
        made = URL.create(driver, USER, self._password, HOST, self._port, database)
        return made.render_as_string(hide_password=False)

    def is_running(self) -> bool:
        """Whether the server runs; a file that a killed one left does not count."""
        return self._data.exists() and self._control("status").returncode == 0

    def start(self) -> None:
        """Starts the server, after the first time making its data; returns when it answers."""
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        settings = f"-p {self._port} -c listen_addresses={HOST} -c unix_socket_directories="
        self._done(self._control("-w", "-t", str(SECONDS), "-l", str(self._folder / "log"), "-o", settings, "start"))

    def stop(self) -> None:
        """Ends the server in order."""
        self._done(self._control("-w", "-t", str(SECONDS), "-m", "fast", "stop"))

    def create(self, *databases: str) -> None:
        """Makes the databases that are missing."""
        import psycopg
        from psycopg import sql

        try:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                known = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
                for name in sorted(set(databases) - known):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.Error as error:
            raise ServiceError(f"PostgreSQL at {HOST}:{self._port}: {str(error).splitlines()[0]}") from error

    def _initialise(self) -> None:
        """Makes the data beside their place, so that what is there is whole."""
        self._folder.mkdir(parents=True, exist_ok=True)
        made = self._folder / "unfinished"
        shutil.rmtree(made, ignore_errors=True)
        if self._user is not None:
            os.chown(self._folder, NOBODY, NOBODY)
        with self._password_file() as secret:
            words = ("-D", str(made), "-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C")
            self._done(self._run("initdb", *words, f"--pwfile={secret}"))
        made.rename(self._data)

    @contextlib.contextmanager
    def _password_file(self) -> Iterator[str]:
        with tempfile.NamedTemporaryFile("w", dir=self._folder) as file:  # nobody else may read it
            file.write(self._password)
            file.flush()
            if self._user is not None:
                os.chown(file.name, NOBODY, NOBODY)
            yield file.name

    def _control(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run("pg_ctl", "-D", str(self._data), *words)

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryFile("w+") as said:  # not a pipe, which the server would keep open
            done = subprocess.run(  # noqa: S603
                [str(programs() / program), *words],
                check=False,
                user=self._user,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=2 * SECONDS,
            )
            said.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, said.read())

    def _done(self, done: subprocess.CompletedProcess[str]) -> None:
        if done.returncode:
            lines = [line for line in done.stdout.splitlines() if line.strip()] or ["it said nothing"]
            raise ServiceError(f"PostgreSQL in {self._folder}: {lines[-1]}; its log is {self._folder / 'log'}")


def programs() -> Path:
    """The folder of ``initdb`` and ``pg_ctl``, of the newest version.

    Raises:
        ServiceError: There is none.
    """
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(DEBIAN.glob("*/bin"), key=_version)
    if not folders or not (folders[-1] / "pg_ctl").exists():
        raise ServiceError(ABSENT)
    return folders[-1]


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0
