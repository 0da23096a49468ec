"""Real PostgreSQL server, started from the programs installed on this machine."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from tests.kit.servers.mlflow_server import free_port

NOBODY = 65534  # PostgreSQL refuses to run as root
PASSWORD = "canary-" + secrets.token_hex(8)


def binaries() -> Path | None:
    """Returns the folder of ``initdb`` and ``pg_ctl``, which is not in PATH on Debian; None if there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


class PostgreSQL:
    """Server on a free port that requires a password."""

    def __init__(self, folder: Path) -> None:
        self._bin = binaries()
        self._user = NOBODY if os.geteuid() == 0 else None
        self._data = folder / "data"
        self.port = free_port()
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if self._user is not None:
            for path in (folder, secret):
                os.chown(path, NOBODY, NOBODY)
        self._do("initdb", "-D", self._data, "-U", "me", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://me:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        settings = f"-p {self.port} -k {self._data} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._do("pg_ctl", "-D", self._data, "-w", "-o", settings, "-l", self._data / "log", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stops the server; ``immediate`` closes every connection and recovers at the next start, as after a crash."""
        self._do("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def create(self, database: str) -> str:
        """Creates a database and returns its URL."""
        self.query(f"CREATE DATABASE {database}")
        return self.url(database)

    def query(self, statement: str, database: str = "postgres") -> str:
        return self._do("psql", self.url(database), "-Atc", statement)

    def dump(self, database: str) -> bytes:
        return self._do("pg_dump", self.url(database)).encode()

    def _do(self, program: str, *arguments: object) -> str:
        command = [str(self._bin / program), *map(str, arguments)]
        done = subprocess.run(
            command,
            check=False,  # the assertion below shows the output
            user=self._user,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (command[0], done.stdout, done.stderr)
        return done.stdout
