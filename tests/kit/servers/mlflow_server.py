"""Real MLflow server, and a proxy in front of it that fails requests on demand."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """``mlflow server`` with its own database; can be killed and restarted on the same port."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "server.db"
        self._artifacts = folder / "artifacts"
        self._log = folder / "server.log"
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen | None = None

    def start(self) -> "Server":
        """Starts the server unless it runs; waits until it answers."""
        if self._process is not None:
            return self
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.database}"]
        command += ["--artifacts-destination", str(self._artifacts)]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | quiet, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 90
        while time.monotonic() < end:
            with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{self.uri}/health"):
                return self
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.1)
        raise AssertionError(self._log.read_text())

    def processes(self) -> list[psutil.Process]:
        assert self._process is not None
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    def kill(self) -> None:
        """Kills the server and its workers with SIGKILL."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


class Proxy:
    """Forwards requests to a server; each entry of ``faults`` affects one request.

    ``503``: rejected without reaching the server; ``hang``: forwarded after ``hang_seconds``, when the client has timed
    out; ``reset``: executed, but the connection is reset before the answer.

    Attributes:
        faults: Faults of the next requests that change data.
        requests: Number of requests by the last segment of their path.
        spoiled: Fault and last path segment of each affected request.
        hang_seconds: Delay of a hanging request in seconds.
        uri: URI of the proxy.
    """

    def __init__(self, server: Server) -> None:
        self.faults: deque[str] = deque()
        self.requests: Counter[str] = Counter()
        self.spoiled: list[tuple[str, str]] = []
        self.hang_seconds = 30.0
        self._server = server
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.handle(self, b"")

            def do_POST(self) -> None:
                proxy.handle(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def do_PUT(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                """Disables the log."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def handle(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        name = handler.path.partition("?")[0].rpartition("/")[2]
        self.requests[name] += 1
        changes = handler.command != "GET" and name != "search"
        fault = self.faults.popleft() if changes and self.faults else None
        if fault is not None:
            self.spoiled.append((fault, name))
        if fault == "503":
            self._answer(handler, 503, b"busy")
            return
        if fault == "hang":
            time.sleep(self.hang_seconds)
        status, content = self._passed_on(handler, body)
        if fault == "reset":  # no lingering: the client sees a reset instead of an end
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.close_connection = True
            handler.connection.close()
            return
        self._answer(handler, status, content)

    def _passed_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        headers = {name: x for name, x in handler.headers.items() if name.lower() not in ("host", "connection")}
        request = urllib.request.Request(
            self._server.uri + handler.path,
            body or None,
            headers | {"Accept-Encoding": "identity"},
            method=handler.command,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError as error:
            return 502, str(error).encode()

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, status: int, content: bytes) -> None:
        with contextlib.suppress(OSError):  # the client has gone
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)
