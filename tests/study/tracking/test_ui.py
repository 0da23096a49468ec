"""Tests of ``cskd ui``: MLflow's pages in a browser, their address and their security."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from study.errors import ServiceError, UsageError
from study.state import directory as study_directory
from study.state.mlflow_record import TrackingRecord
from study.tracking import ui
from study.tracking.tracking_thread import open_mirror
from tests.kit.fakes.executor import Executor
from tests.kit.patience import patience

pytestmark = pytest.mark.xdist_group("MLflow pages")  # each server takes the first free port
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory, empty_tracking_database: Path, toy: Callable) -> Path:
    """A storage folder with a finished, tracked toy study."""
    folder = tmp_path_factory.mktemp("storage")
    (folder / "mlflow.db").write_bytes(empty_tracking_database.read_bytes())
    directory = study_directory.create(toy(tracking__enabled=True), folder)
    with study_directory.open_study(directory) as study, pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        Executor(study).run()
        mirror = open_mirror(study)
        mirror.bring_up_to_date(live=False)
        mirror.upload_files()
    return folder


@pytest.fixture(scope="module")
def started(storage: Path) -> Iterator[tuple[subprocess.Popen, str, str]]:
    """A running ``cskd ui``: its process, and the address and the study's page that it printed."""
    environment = {name: x for name, x in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    process = subprocess.Popen(
        [sys.executable, "-m", "study.cli", "ui", "--storage", str(storage)],
        cwd=ROOT,
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().split()[1]
    page = process.stdout.readline().split()[1]
    yield process, address, page
    process.send_signal(signal.SIGINT)
    process.wait(patience(20))
    process.stdout.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_pages_lead_from_the_study_to_a_trial(started, storage: Path, browser: Any) -> None:
    _, address, page = started
    opened = browser.new_page()
    outside: list[str] = []
    opened.on("request", lambda request: outside.append(request.url) if not request.url.startswith(address) else None)
    opened.goto(page)
    opened.locator("a[href*='/runs/']", has_text="toy").click()  # the only row: the study, its trials below it
    opened.get_by_text("Child runs", exact=True).wait_for()
    opened.get_by_role("link", name="search/4").click()
    opened.get_by_role("heading", name="search/4").wait_for()
    with study_directory.open_study(storage / "toy") as study:
        trial = study.store.trials("search")[4]
    text = opened.inner_text("body")
    assert f"temperature\n{trial.params['temperature']}" in text.replace("\t", "\n")
    assert f"lambda_cls\n{trial.params['lambda_cls']}" in text.replace("\t", "\n")
    assert "Status\nFinished" in text.replace("\t", "\n")
    assert str(trial.value) in text
    assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_server_accepts_only_this_machine_and_known_hosts(started) -> None:
    process, address, _ = started
    port = int(address.rpartition(":")[2])
    with urllib.request.urlopen(address) as answer:
        assert answer.status == 200
    for host in ("evil.example", "10.evil.com", f"evil.example:{port}"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(address, headers={"Host": host}))
    for origin, refused in (("http://evil.example", True), ("http://10.evil.com", True), (address, False)):
        search = f"{address}/api/2.0/mlflow/experiments/search"
        headers = {"Origin": origin, "Content-Type": "application/json"}
        asked = urllib.request.Request(search, b'{"max_results": 1}', headers)
        with pytest.raises(urllib.error.HTTPError, match="403") if refused else contextlib.nullcontext():
            urllib.request.urlopen(asked).close()
    family = psutil.Process(process.pid).children(recursive=True)
    assert all(member.environ()["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false" for member in family)
    listening = {
        connection.laddr.ip
        for member in family
        for connection in member.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    assert not any("huey" in " ".join(member.cmdline()) for member in family)  # no job execution


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_stopped_ui_leaves_no_process(storage: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "study.cli", "ui", "--storage", str(storage)],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(number)
    assert process.wait(patience(20)) == 0
    process.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=patience(20))
    assert alive == []


def test_a_folder_without_runs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError, match="no runs here; `cskd launch"), ui.serve(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_refused(storage: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ServiceError, match=f"port {port} is taken; give another with --port"),
            ui.serve(storage, port),
        ):
            pass


def test_an_external_server_is_not_started(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example/")
    start = time.monotonic()
    with ui.serve(storage) as pages:
        pages.wait(lambda: False)  # returns at once
        assert "secret" not in pages.address
        assert pages.address.endswith("@mlflow.example")
        assert ui.links(storage, pages.address) == {"toy": f"tracked at sqlite:///{storage / 'mlflow.db'}"}
    assert time.monotonic() - start < patience(5)


def test_page_or_command_of_a_study(storage: Path, tmp_path: Path) -> None:
    assert ui.page_or_command(storage / "toy") == f"cskd ui --storage {storage}"
    assert ui.page_or_command(tmp_path) is None
    TrackingRecord("https://mlflow.example/", "7").write(tmp_path)
    assert ui.page_or_command(tmp_path) == "https://mlflow.example/#/experiments/7/runs"


def test_links_lead_to_the_experiment_of_each_study(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (page,) = ui.links(storage, "http://127.0.0.1:5000").values()
    assert page.startswith("http://127.0.0.1:5000/#/experiments/")
    assert page.endswith("/runs")
