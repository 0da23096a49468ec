"""Access checks of a Ray cluster: every HTTP route of its head, its GCS, and every port that it listens on.

``python -m tests.kit.servers.ray_routes`` starts a head that requires a token and prints the tables of
docs/explanation/security.md.
"""

import contextlib
import http.client
import re
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import psutil

from tests.kit.servers.ray_head import Head, ray_head

PATIENCE_SECONDS = 10
WRONG_TOKEN = "0" * 64
FOLDERS = "/tmp/rh-"  # prefix of the temporary folders of ray_head


@dataclass(frozen=True)
class Route:
    """Route of the dashboard.

    Attributes:
        method: HTTP method.
        path: Path, with placeholders in braces.
        without: HTTP status of a request without a token.
        wrong: HTTP status of a request with a wrong token.
    """

    method: str
    path: str
    without: int
    wrong: int


def dashboard_routes() -> list[tuple[str, str]]:
    """Returns methods and paths from the route tables of Ray's dashboard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Ray uses deprecated features of pydantic
        from ray.dashboard import utils
        from ray.dashboard.subprocesses.module import SubprocessModule
        from ray.dashboard.subprocesses.routes import SubprocessRouteTable

        for kind in (utils.DashboardHeadModule, SubprocessModule):
            utils.get_all_modules(kind)  # importing the modules fills the tables
        from ray.dashboard.optional_utils import DashboardHeadRouteTable

    entries = [*DashboardHeadRouteTable.routes(), *SubprocessRouteTable.routes()]
    found = {(each.method, each.path) for each in entries if hasattr(each, "method")}  # the rest are static files
    return sorted(found, key=lambda each: (each[1], each[0]))


def ask(head: Head, method: str, path: str, token: str | None) -> int:
    """Returns the HTTP status of a request; replaces placeholders in the path."""
    headers = {"Content-Type": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    url = head.dashboard + re.sub(r"\{[^}]*\}", "x", path)
    body = b"{}" if method in ("POST", "PUT", "PATCH") else None
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def probed(head: Head) -> list[Route]:
    """Returns every route of the dashboard with the status of its answers."""
    return [
        Route(method, path, ask(head, method, path, None), ask(head, method, path, WRONG_TOKEN))
        for method, path in dashboard_routes()
    ]


def gcs_answer(head: Head, token: str | None) -> str:
    """Returns the gRPC status of a request to the GCS for the list of nodes."""
    import grpc
    from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    with grpc.insecure_channel(f"127.0.0.1:{head.port}") as channel:
        stub = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel)
        try:
            stub.GetAllNodeInfo(gcs_service_pb2.GetAllNodeInfoRequest(), timeout=PATIENCE_SECONDS, metadata=metadata)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


def listening() -> Iterator[tuple[str, str, int]]:
    """Yields program, address and port of each listening Ray process, found by its open files in ``FOLDERS``."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if any(each.path.startswith(FOLDERS) for each in process.open_files()):
                for each in process.net_connections(kind="tcp"):
                    if each.status == psutil.CONN_LISTEN:
                        yield _program(process), each.laddr.ip, each.laddr.port


def http_answer(address: str, port: int, path: str) -> str:
    """Returns the HTTP status of a request without a token, or ``no HTTP`` if the port uses another protocol."""
    connection = http.client.HTTPConnection(
        "localhost" if address in ("::", "0.0.0.0") else address, port, timeout=PATIENCE_SECONDS
    )
    try:
        connection.request("GET", path)
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException):
        return "no HTTP"
    finally:
        connection.close()


def _program(process: psutil.Process) -> str:
    arguments = [word for word in process.cmdline() if word]
    known = [word for word in arguments[:4] if word.endswith((".py", "gcs_server", "raylet"))]
    return "/".join((known or arguments)[0].split("/")[-2:])


def main() -> None:
    with ray_head() as head:
        print("| without a token | with a wrong one | routes |\n|---|---|---|")
        order = sorted(probed(head), key=lambda each: (each.without, each.wrong))
        for (without, wrong), routes in groupby(order, key=lambda each: (each.without, each.wrong)):
            print(f"| {without} | {wrong} | {', '.join(f'`{each.method} {each.path}`' for each in routes)} |")
        for name, token in (("no token", None), ("a wrong one", WRONG_TOKEN), ("the token", head.token)):
            print(f"GCS, {name}: {gcs_answer(head, token)}")
        print("\n| program | address | `GET /` | `GET /metrics` |\n|---|---|---|---|")
        for program, address, port in sorted(set(listening())):
            answers = " | ".join(http_answer(address, port, path) for path in ("/", "/metrics"))
            print(f"| {program} | {address}:{port} | {answers} |")


if __name__ == "__main__":
    main()
