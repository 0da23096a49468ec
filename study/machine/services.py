"""Services for a team on one machine: PostgreSQL for trials and runs, and an MLflow server that asks who is there.

Everything is below one folder: ports and secrets in a file that nobody else may read, the databases, MLflow's
users and artifacts, logs. Started again, whatever runs stays; whatever is gone is started.
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

_outliving: list[subprocess.Popen[bytes]] = []  # kept, for Python warns of a process that it forgets while it runs


@dataclass(frozen=True)
class State:
    """What was decided when the services were first started; holds secrets.

    Attributes:
        sqlite: Whether MLflow keeps its runs in a file, for want of PostgreSQL.
        postgresql_port: Where PostgreSQL listens.
        mlflow_port: Where MLflow listens.
        database_password: Of PostgreSQL's user.
        admin_password: Of MLflow's first user.
        session_key: With which MLflow signs its pages' forms.
    """

    sqlite: bool
    postgresql_port: int
    mlflow_port: int
    database_password: str
    admin_password: str
    session_key: str


@dataclass(frozen=True)
class Service:
    """A service, where it is, and whether it runs."""

    name: str
    address: str
    running: bool


class Services:
    """The services of a folder.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.variables = self.root / VARIABLES
        self._process = self.root / "mlflow" / "process.json"

    def up(self, *, sqlite: bool = False) -> list[Service]:
        """Starts what does not run.

        Args:
            sqlite: Leaves PostgreSQL out; counts the first time only.

        Raises:
            ServiceError: A program is missing, or does not start.
            CannotCreateError: The folder cannot be made.
            UsageError: A library is missing.
        """
        _refuse_without_libraries()
        if not sqlite and not (self.root / STATE).exists():
            postgresql.programs()  # before anything is made
        make_directory(self.root)
        self.root.chmod(0o711)  # PostgreSQL is another user where we are root; what is secret has files of its own
        with self._alone():
            if background.alive(self._process) is None:
                background.end(self._process)  # the workers that a killed one has left
            state = self._settled(sqlite=sqlite)
            if not state.sqlite:
                server = self._postgresql(state)
                if not server.is_running():
                    server.start()
                server.create(*DATABASES)
            if background.alive(self._process) is None:
                self._start_mlflow(state)
            _write_secretly(self.variables, _exports(state, self._postgresql(state)))
        return self.status()

    def down(self) -> list[str]:
        """Ends what ``up`` started here, and nothing else; names of what was running.

        Raises:
            UsageError: There are no services here.
            ServiceError: PostgreSQL does not end.
        """
        state, ended = self._load(), []
        with self._alone():
            if background.end(self._process):
                ended.append("mlflow")
            if not state.sqlite and self._postgresql(state).is_running():
                self._postgresql(state).stop()
                ended.append("postgresql")
        return ended

    def status(self) -> list[Service]:
        """The services and whether they run.

        Raises:
            UsageError: There are no services here.
        """
        state = self._load()
        runs = background.alive(self._process) is not None and mlflow_server.answers(state.mlflow_port)
        found = [Service("mlflow", f"http://{mlflow_server.HOST}:{state.mlflow_port}", runs)]
        if not state.sqlite:
            address = f"{postgresql.HOST}:{state.postgresql_port}"
            found.insert(0, Service("postgresql", address, self._postgresql(state).is_running()))
        return found

    def _alone(self) -> FileLock:
        return FileLock(self.root / ".lock")  # two who start at the same moment

    def _load(self) -> State:
        try:
            return State(**json.loads((self.root / STATE).read_bytes()))
        except FileNotFoundError:
            raise UsageError(
                f"{self.root}: no services here; `cskd services up --root {self.root}` starts them"
            ) from None

    def _settled(self, *, sqlite: bool) -> State:
        """Ports and secrets: those of before, but for a port that somebody else has taken meanwhile."""
        if (self.root / STATE).exists():
            state = self._load()
        else:
            words = [secrets.token_hex(24) for _ in range(3)]
            state = State(sqlite, POSTGRESQL_PORTS[0], MLFLOW_PORTS[0], *words)
        if not state.sqlite and not self._postgresql(state).is_running():
            port = _port([state.postgresql_port, *POSTGRESQL_PORTS])
            state = replace(state, postgresql_port=port)
        if background.alive(self._process) is None:
            state = replace(state, mlflow_port=_port([state.mlflow_port, *MLFLOW_PORTS]))
        _write_secretly(self.root / STATE, json.dumps(asdict(state)))
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
        words = ("--workers", "2", "--app-name", "basic-auth", "--artifacts-destination", str(folder / "artifacts"))
        with (folder / "log").open("w+b") as log:
            process = mlflow_server.start(uri, state.mlflow_port, log, words, settings)
            try:
                background.note(self._process, process.pid)
                mlflow_server.wait_until_ready(process, state.mlflow_port, log)
                _outliving.append(process)
            except BaseException:
                mlflow_server.end(process)
                self._process.unlink(missing_ok=True)
                raise


def _exports(state: State, server: LocalPostgreSQL) -> str:
    """What a shell reads before it works with the services."""
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
        raise ServiceError("no free port; end what listens on this machine, or start the services elsewhere")
    return found


def _write_secretly(path: Path, text: str) -> None:
    """Replaces a file that nobody else may read, not for a moment."""
    before = os.umask(0o077)
    try:
        write_atomic(path, text.encode())
    finally:
        os.umask(before)


def _refuse_without_libraries() -> None:
    for module in ("psycopg", "flask_wtf"):
        if find_spec(module) is None:
            raise UsageError(f"services need {module}: pip install 'cs-kd-study[services]'")
