"""Tests the services for a team: start, status, end, and two drivers that use them at once."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.machine import background, postgresql
from study.machine.services import Services
from tests.kit.fakes.toy import STUDY
from tests.kit.faults.drivers import TRACKED, kill, left_behind, read_log, start
from tests.kit.faults.oracle import verify_study, verify_tracking
from tests.kit.patience import patience

VARIABLES = ("CSKD_DATABASE_URL", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def test_without_postgresql_the_message_names_the_package_and_the_alternative(cskd, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgresql, "DEBIAN", tmp_path)
    code, out, err = cskd("services", "up", "--root", tmp_path / "root")
    assert (code, out) == (69, "")
    assert err.count("\n") == 1
    assert "apt-get install postgresql" in err
    assert "--sqlite" in err
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("command", ["down", "status"])
def test_a_folder_without_services_is_reported(cskd, tmp_path: Path, command: str) -> None:
    code, _, err = cskd("services", command, "--root", tmp_path / "root")
    assert code == 64
    assert "no services here; `cskd services up --root " in err


def test_the_newest_postgresql_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgresql, "DEBIAN", tmp_path)
    for version in ("9", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "pg_ctl").touch()
    assert postgresql.programs() == tmp_path / "17" / "bin"


@pytest.fixture
def root() -> Iterator[Path]:
    # As root, PostgreSQL runs as nobody, who cannot enter pytest's own folders.
    with tempfile.TemporaryDirectory(prefix="cskd-services-") as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "root"
        yield root
        if (root / "services.json").exists():
            Services(root).down()


def in_a_shell(root: Path) -> dict[str, str]:
    """Returns the variables of a shell that has sourced environment.sh."""
    script = f". {root / 'environment.sh'}; {sys.executable} -c 'import os, json; print(json.dumps(dict(os.environ)))'"
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    import json

    found = json.loads(done.stdout)
    return {name: found[name] for name in VARIABLES}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_drivers_at_once_on_the_services_one_killed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable
) -> None:
    services = Services(root)
    assert all(found.running for found in services.up())
    for name in ("environment.sh", "services.json"):
        assert stat.S_IMODE((root / name).stat().st_mode) == 0o600
    variables = in_a_shell(root)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    one, two = (study(tmp_path, name) for name in ("one", "two"))
    uri = variables["MLFLOW_TRACKING_URI"]
    processes = [started(one, uri)]  # one after the other, because Ray's start needs much CPU time
    processes.append(started(two, uri))
    wait_for(one[0], processes[0], "search/0: COMPLETE")
    family = kill(processes[0], signal.SIGKILL)
    processes[0].wait(patience(60))
    mlflow = background.alive(root / "mlflow" / "process.json")
    os.killpg(mlflow, signal.SIGKILL)  # kills MLflow, too
    assert [found.running for found in services.status()] == [True, False]
    assert all(found.running for found in services.up())
    assert in_a_shell(root) == variables
    processes[0] = start(one[0], "resume", str(one[0] / "one"), uri=uri)
    for process, (folder, _) in zip(processes, (one, two), strict=True):
        assert process.wait(patience(300)) == 0, read_log(folder)
    counts = [
        verify_study(folder / folder.name) | verify_tracking(folder / folder.name, uri) for folder, _ in (one, two)
    ]
    assert left_behind(family) == []
    assert services.down() == ["mlflow", "postgresql"]
    assert services.down() == []
    assert [found.running for found in services.status()] == [False, False]
    record_property("result", str(counts))


def started(prepared: tuple[Path, tuple[str, ...]], uri: str) -> subprocess.Popen:
    """Starts a driver and waits until it is connected to Ray."""
    process = start(prepared[0], *prepared[1], uri=uri, seconds=0.5)
    wait_for(prepared[0], process, "trials at once")
    return process


def wait_for(folder: Path, process: subprocess.Popen, text: str) -> None:
    while text not in read_log(folder):
        assert process.poll() is None, read_log(folder)
        time.sleep(0.1)


def study(folder: Path, name: str) -> tuple[Path, tuple[str, ...]]:
    """Returns a folder with a study of the given name, and the arguments that launch it there."""
    place = folder / name
    place.mkdir()
    (place / "toy.yaml").write_text(STUDY.replace("name: toy", f"name: {name}"))
    arguments = ("launch", str(place / "toy.yaml"), "--storage", str(place), "--set", "database.env=CSKD_DATABASE_URL")
    return place, (*arguments, *TRACKED)
