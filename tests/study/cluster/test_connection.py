"""Tests folders, the address of Ray, and signals; test_resume.py starts Ray itself."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from filelock import FileLock

from study.cluster import connection
from study.cluster.connection import cluster_address, ray_connection
from study.errors import CannotCreateError, ServiceError, UsageError
from study.machine.folders import make_directory, storage_folder
from study.machine.signals import StopSignals
from tests.kit.patience import patience

NOBODY = 65534


def test_storage_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CSKD_STORAGE", raising=False)
    assert storage_folder(None) == tmp_path / "runs"
    monkeypatch.setenv("CSKD_STORAGE", "~/studies")
    assert storage_folder(None) == Path.home() / "studies"
    assert storage_folder(Path("here")) == tmp_path / "here"


@pytest.mark.parametrize("variable", [False, True])
def test_auto_is_refused_before_ray_is_loaded(variable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto" if variable else "")
    refused = pytest.raises(UsageError, match="--address auto would join any cluster")
    with refused as caught, ray_connection(None if variable else "auto"):
        pass
    assert caught.value.exit_code == 64


def test_a_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    make_directory(tmp_path / "a/b")
    make_directory(tmp_path / "a/b")
    assert list((tmp_path / "a/b").iterdir()) == []  # the write test leaves no file


def broken_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def file_in_place(path: Path) -> None:
    path.write_text("")


@pytest.mark.fault(20)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch to another user")
@pytest.mark.parametrize(("mode", "owner"), [(0o555, NOBODY), (0o755, 0)], ids=["read-only", "of another user"])
def test_a_folder_without_write_permission_is_named(mode: int, owner: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, owner, owner)
        Path(name).chmod(mode)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setuid(NOBODY)
                make_directory(Path(name) / "toy")
            except CannotCreateError as error:
                expected = f"{name}/toy: cannot be created or written: Permission denied"
                code = error.exit_code if str(error) == expected else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 73
        assert list(Path(name).iterdir()) == []


@pytest.mark.fault(20)
@pytest.mark.parametrize("obstruct", [broken_link, file_in_place])
@pytest.mark.parametrize("below", ["", "below/it"])
def test_a_path_that_is_not_a_directory_is_named(tmp_path: Path, obstruct, below: str) -> None:
    obstruct(tmp_path / "storage")
    with pytest.raises(CannotCreateError, match=r"storage.*: cannot be created or written: ") as caught:
        make_directory(tmp_path / "storage" / below)
    assert caught.value.exit_code == 73
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a read-only file system")
def test_an_unwritable_folder_is_named() -> None:
    with pytest.raises(CannotCreateError, match="/proc/cskd: cannot be created or written"):
        make_directory(Path("/proc/cskd"))


def test_folders_of_killed_drivers_are_removed_and_their_processes_ended() -> None:
    left, locked, unowned = (Path(tempfile.mkdtemp(prefix="cskd-ray-test-", dir="/tmp")) for _ in range(3))
    (left / "owner.lock").touch()
    log = left / "worker.out"
    with log.open("w") as file:
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=file)
    try:
        with FileLock(locked / "owner.lock"), connection._temporary_folder() as mine:
            assert len(str(mine)) < 40  # Ray's socket paths end at 107 bytes
            assert [folder.exists() for folder in (left, locked, unowned, mine)] == [False, True, True, True]
        assert worker.wait(patience(10)) == -signal.SIGKILL
        assert not mine.exists()
    finally:
        worker.kill()
        for folder in (left, locked, unowned):
            shutil.rmtree(folder, ignore_errors=True)


def test_the_first_signal_requests_a_stop_and_the_second_interrupts() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    with StopSignals() as signals:
        assert signals.received is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == signal.SIGTERM
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == before


@pytest.mark.parametrize(
    "address", ["host", "host:", ":1", "host:x", "host:99999", "a b:1", "http://host:1", "host:-1"]
)
def test_a_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=r"give local, or host:port of the cluster's head"), ray_connection(address):
        pass


def test_a_start_timeout_of_ray_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def init(**_: object) -> None:
        raise Exception("The current node timed out during startup. This could happen because\n…")  # noqa: TRY002

    monkeypatch.setattr(ray, "init", init)
    refused = pytest.raises(ServiceError, match=r"^Ray at local cannot be reached: The current node timed out[^\n]*$")
    with refused, ray_connection("local"):
        pass


@pytest.mark.parametrize(("given", "place"), [("data", "{here}/data"), ("s3://bucket/data", "s3://bucket/data")])
def test_workers_use_the_drivers_data_folder(
    given: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    def init(**_: object) -> None:
        raise Exception(os.environ["CSKD_DATA"])  # noqa: TRY002 - workers of a Ray started here inherit it

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setenv("CSKD_DATA", given)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ServiceError, match=f"reached: {place.format(here=tmp_path)}$"), ray_connection("local"):
        pass


def test_an_unreachable_address_is_reported_at_once() -> None:
    with socket.socket() as closed:  # bound, but not listening
        closed.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{closed.getsockname()[1]}"
        start = time.monotonic()
        refused = pytest.raises(
            ServiceError, match=f"Ray at {place} cannot be reached: Connection refused; `cskd doctor`"
        )
        with refused, ray_connection(place):
            pass
    assert time.monotonic() - start < patience(5)  # Ray itself would retry for many minutes
    assert cluster_address("[::1]:6379") == ("::1", 6379)


COUNT_NODES = """
import sys
from ray._raylet import GcsClient
print(len(GcsClient(address=sys.argv[1]).get_all_node_info(timeout=20)))
"""
START_LOCAL_RAY = """
import os, subprocess, sys
from study.cluster.connection import ray_connection
with ray_connection("local"):
    import ray
    command = [sys.executable, "-c", sys.argv[1], ray.get_runtime_context().gcs_address]
    for variables in ({}, {"RAY_AUTH_MODE": "disabled"}):
        done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True)
        print(done.stdout + done.stderr)
"""


@pytest.mark.long
@pytest.mark.timeout(200)
def test_a_local_ray_requires_a_token(tmp_path: Path) -> None:
    path = str(Path(__file__).parents[3])
    environment = os.environ | {"RAY_AUTH_MODE": "disabled", "PYTHONPATH": path, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", START_LOCAL_RAY, COUNT_NODES],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with_token, _, without_token = done.stdout.partition("\n")
    assert with_token == "1"
    assert "UNAUTHENTICATED" in without_token.upper()
