"""Runs services for a team on one machine: PostgreSQL for trials and runs, and an MLflow server with user accounts.

All files are below one folder: ports and secrets (readable by the owner only), the databases, MLflow's users and
artifacts, and the logs. A second start leaves running services alone and starts the others.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from study.errors import ServiceError, UsageError
from study.machine import background, mlflow_server, postgresql
from study.machine.folders import make_directory
from study.machine.postgresql import LocalPostgreSQL
from trainables.files.durable import write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterable

STATE = "services.json"
VARIABLES = "environment.sh"
MLFLOW_PORTS = range(5000, 5100)
POSTGRESQL_PORTS = range(5432, 5532)
DATABASES = ("cskd", "mlflow")
ADMIN = "admin"
USERS = """[mlflow]
default_permission = READ
database_uri = sqlite:///{users}
admin_username = {admin}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""

_outliving: list[subprocess.Popen[bytes]] = []  # references, because Python warns if it collects a running process


@dataclass(frozen=True)
class State:
    """Settings chosen at the first start of the services; contains secrets.

    Attributes:
        sqlite: Whether MLflow keeps its runs in an SQLite file instead of PostgreSQL.
        postgresql_port: Port of PostgreSQL.
        mlflow_port: Port of MLflow.
        database_password: Password of the PostgreSQL user.
        admin_password: Password of MLflow's administrator.
        session_key: Key with which MLflow signs the forms of its pages.
    """

    sqlite: bool
    postgresql_port: int
    mlflow_port: int
    database_password: str
    admin_password: str
    session_key: str


@dataclass(frozen=True)
class Service:
    """Name, address and state of a service."""

    name: str
    address: str
    running: bool


class Services:
    """Services whose files are below a folder.

    Args:
        root: Folder of the services.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.variables = self.root / VARIABLES
        self._process = self.root / "mlflow" / "process.json"

    def up(self, *, sqlite: bool = False) -> list[Service]:
        """Starts the services that do not run.

        Args:
            sqlite: Whether to do without PostgreSQL; only has an effect at the first start.

        Returns:
            All services and their states.

        Raises:
            ServiceError: A program is missing, or does not start.
            CannotCreateError: The folder cannot be created.
            UsageError: A library is missing.
        """
        _refuse_without_libraries()
        if not sqlite and not (self.root / STATE).exists():
            postgresql.programs()  # raises before any file is created
        make_directory(self.root)
        self.root.chmod(
            0o711
        )  # if this process is root, PostgreSQL runs as another user; secrets are in mode-0600 files
        with self._lock():
            if background.alive(self._process) is None:
                background.end(self._process)  # ends the workers of a killed server
            state = self._update_state(sqlite=sqlite)
            if not state.sqlite:
                server = self._postgresql(state)
                if not server.is_running():
                    server.start()
                server.create(*DATABASES)
            if background.alive(self._process) is None:
                self._start_mlflow(state)
            _write_private(self.variables, _exports(state, self._postgresql(state)))
        return self.status()

    def down(self) -> list[str]:
        """Ends the services that ``up`` started, and no other process; returns the names of those that were running.

        Raises:
            UsageError: The folder holds no services.
            ServiceError: PostgreSQL does not shut down.
        """
        state, ended = self._load(), []
        with self._lock():
            if background.end(self._process):
                ended.append("mlflow")
            if not state.sqlite and self._postgresql(state).is_running():
                self._postgresql(state).stop()
                ended.append("postgresql")
        return ended

    def status(self) -> list[Service]:
        """Returns the services and whether they run.

        Raises:
            UsageError: The folder holds no services.
        """
        state = self._load()
        runs = background.alive(self._process) is not None and mlflow_server.answers(state.mlflow_port)
        found = [Service("mlflow", f"http://{mlflow_server.HOST}:{state.mlflow_port}", runs)]
        if not state.sqlite:
            address = f"{postgresql.HOST}:{state.postgresql_port}"
            found.insert(0, Service("postgresql", address, self._postgresql(state).is_running()))
        return found

    def _lock(self) -> FileLock:
        return FileLock(self.root / ".lock")  # against two starts at the same moment

    def _load(self) -> State:
        try:
            return State(**json.loads((self.root / STATE).read_bytes()))
        except FileNotFoundError:
            raise UsageError(
                f"{self.root}: no services here; `cskd services up --root {self.root}` starts them"
            ) from None

    def _update_state(self, *, sqlite: bool) -> State:
        """Returns the ports and secrets of the first start, with a new port where another process uses the old one."""
        if (self.root / STATE).exists():
            state = self._load()
        else:
            passwords = [secrets.token_hex(24) for _ in range(3)]
            state = State(sqlite, POSTGRESQL_PORTS[0], MLFLOW_PORTS[0], *passwords)
        if not state.sqlite and not self._postgresql(state).is_running():
            state = replace(state, postgresql_port=_port([state.postgresql_port, *POSTGRESQL_PORTS]))
        if background.alive(self._process) is None:
            state = replace(state, mlflow_port=_port([state.mlflow_port, *MLFLOW_PORTS]))
        _write_private(self.root / STATE, json.dumps(asdict(state)))
        return state

    def _postgresql(self, state: State) -> LocalPostgreSQL:
        return LocalPostgreSQL(self.root / "postgresql", state.postgresql_port, state.database_password)

    def _start_mlflow(self, state: State) -> None:
        folder = self._process.parent
        folder.mkdir(mode=0o700, exist_ok=True)
        users = folder / "auth.ini"
        write_atomic(users, USERS.format(users=folder / "users.db", admin=ADMIN).encode())
        file = f"sqlite:///{folder / 'mlflow.db'}"
        uri = file if state.sqlite else self._postgresql(state).url("mlflow", "postgresql+psycopg")
        settings = {
            "MLFLOW_AUTH_CONFIG_PATH": str(users),
            "MLFLOW_AUTH_ADMIN_PASSWORD": state.admin_password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": state.session_key,
        }
        arguments = ("--workers", "2", "--app-name", "basic-auth", "--artifacts-destination", str(folder / "artifacts"))
        with (folder / "log").open("w+b") as log:
            process = mlflow_server.start(uri, state.mlflow_port, log, arguments, settings)
            try:
                background.record(self._process, process.pid)
                mlflow_server.wait_until_ready(process, state.mlflow_port, log)
                _outliving.append(process)
            except BaseException:
                mlflow_server.end(process)
                self._process.unlink(missing_ok=True)
                raise


def _exports(state: State, server: LocalPostgreSQL) -> str:
    """Returns the shell script that sets the environment for the services."""
    variables = {
        "MLFLOW_TRACKING_URI": f"http://{mlflow_server.HOST}:{state.mlflow_port}",
        "MLFLOW_TRACKING_USERNAME": ADMIN,
        "MLFLOW_TRACKING_PASSWORD": state.admin_password,
    }
    if not state.sqlite:
        variables["CSKD_DATABASE_URL"] = server.url("cskd")
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _port(wanted: Iterable[int]) -> int:
    found = mlflow_server.first_free(wanted)
    if found is None:
        raise ServiceError("no free port; end a server on this machine, or start the services on another machine")
    return found


def _write_private(path: Path, text: str) -> None:
    """Replaces a file without ever making it readable for other users."""
    before = os.umask(0o077)
    try:
        write_atomic(path, text.encode())
    finally:
        os.umask(before)


def _refuse_without_libraries() -> None:
    for module in ("psycopg", "flask_wtf"):
        if find_spec(module) is None:
            raise UsageError(f"services need {module}: pip install 'cs-kd-study[services]'")
