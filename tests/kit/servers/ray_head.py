"""Head of a real Ray cluster on this machine that requires a token."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.kit.patience import patience
from tests.kit.servers.mlflow_server import free_port

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Head:
    """Addresses and token of a running head."""

    port: int
    dashboard: str
    token: str

    @property
    def environment(self) -> dict[str, str]:
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def status(self, route: str, token: str | None = None) -> int:
        """Returns the HTTP status of a GET request to the dashboard."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.dashboard + route, headers=headers)) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


@contextlib.contextmanager
def ray_head(cpus: int = 2) -> Iterator[Head]:
    """Runs ``ray start --head`` in a new session; ends all its processes on exit."""
    head = Head(free_port(), f"http://127.0.0.1:{free_port()}", secrets.token_hex(32))
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])  # jobs run `python`
    with tempfile.TemporaryDirectory(prefix="rh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        command = [str(BIN / "ray"), "start", "--head", "--block", "--disable-usage-stats", f"--port={head.port}"]
        command += [f"--num-cpus={cpus}", f"--temp-dir={folder}", "--dashboard-host=127.0.0.1"]
        # Jobs need the agent; its default port may be in use by another cluster.
        command += [f"--dashboard-agent-listen-port={free_port()}"]
        command += ["--include-dashboard=true", f"--dashboard-port={head.dashboard.rpartition(':')[2]}"]
        log = Path(folder) / "start.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                env=os.environ | head.environment | {"PATH": path},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        try:
            _wait(head, process, log)
            yield head
        finally:
            process.send_signal(signal.SIGTERM)  # it ends its child processes
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience(20))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(head: Head, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            if head.status("/api/version", head.token) == 200:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text())
