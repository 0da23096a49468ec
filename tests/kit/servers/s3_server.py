"""Real S3 server in this process that can be stopped and restarted without losing its objects."""

import secrets
import sys
import threading
import urllib.request
from urllib.parse import quote

from tests.kit.servers.mlflow_server import free_port

BUCKET = "studies"
KEYS = {
    "AWS_ACCESS_KEY_ID": "canary-" + secrets.token_hex(8),
    "AWS_SECRET_ACCESS_KEY": "canary-" + secrets.token_hex(16),
    "AWS_EC2_METADATA_DISABLED": "true",
}


def place(address: str, folder: str = "all") -> str:
    """Returns the URI of a folder in the bucket of a server."""
    return f"s3://{BUCKET}/{folder}?endpoint_override={quote(address, safe='')}"


def command(host: str, port: int) -> list[str]:
    """Returns the command that runs a server in another process; it logs each request to standard error."""
    return [sys.executable, __file__, host, str(port)]


class S3:
    """Server with one bucket."""

    def __init__(self, host: str = "127.0.0.1", port: int | None = None, *, verbose: bool = False) -> None:
        self.host = host
        self.port = port or free_port()
        self.address = f"http://{self.host}:{self.port}"
        self.uri = place(self.address)
        self._verbose = verbose
        self._server = None
        self.start()
        urllib.request.urlopen(urllib.request.Request(f"{self.address}/{BUCKET}", method="PUT")).close()

    def start(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address=self.host, port=self.port, verbose=self._verbose)
        self._server.start()

    def stop(self) -> None:
        self._server.stop()


if __name__ == "__main__":
    S3(sys.argv[1], int(sys.argv[2]), verbose=True)
    threading.Event().wait()
