"""Tests of the atomic creation of an MLflow database."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.errors import ServiceError
from study.tracking import sqlite_store
from study.tracking.mlflow_client import TrackingService
from tests.kit.patience import patience


def uri(path: Path) -> str:
    return f"sqlite:///{path}"


def usable(path: Path) -> bool:
    return bool(TrackingService(uri(path), path.parent, "some study", lambda: None).experiment_id)


@pytest.mark.slow
def test_the_database_is_created_once_and_usable(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    sqlite_store.ensure(uri(path))
    made = path.stat()
    sqlite_store.ensure(uri(path))
    assert path.stat().st_ino == made.st_ino
    assert usable(path)
    assert [left.name for left in tmp_path.iterdir()] == ["mlflow.db"]


SECONDS = [1.5, *(pytest.param(each, marks=pytest.mark.long) for each in (0.5, 2.0, 2.5, 3.0))]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", SECONDS)
def test_a_killed_process_leaves_no_incomplete_database(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "mlflow.db"
    code = f"from study.tracking import sqlite_store; sqlite_store.ensure({uri(path)!r})"
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root, start_new_session=True)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    sqlite_store.ensure(uri(path))
    assert usable(path)


@pytest.mark.slow
def test_two_processes_may_create_the_database_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    code = f"from study.tracking import sqlite_store; sqlite_store.ensure({uri(path)!r})"
    root = Path(__file__).parents[3]
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=root) for _ in range(2)]
    assert [process.wait(patience(60)) for process in processes] == [0, 0]
    assert usable(path)
    assert [left.name for left in tmp_path.iterdir()] == ["mlflow.db"]


def test_servers_and_existing_files_are_left_alone(tmp_path: Path) -> None:
    sqlite_store.ensure("http://127.0.0.1:9")
    sqlite_store.ensure("postgresql://host/name")
    (tmp_path / "mine.db").touch()
    sqlite_store.ensure(uri(tmp_path / "mine.db"))
    assert (tmp_path / "mine.db").stat().st_size == 0


def test_a_read_only_folder_is_reported_in_one_line() -> None:
    with pytest.raises(ServiceError, match=r"MLflow's database .* cannot be created: ") as raised:
        sqlite_store.ensure(uri(Path("/proc/none/mlflow.db")))
    assert len(str(raised.value).splitlines()) == 1


def test_stale_temporary_databases_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "_create", lambda path: path.touch())
    old, young = tmp_path / ".mlflow.db.1.tmp", tmp_path / ".mlflow.db.2.tmp"
    for left in (old, young):
        left.touch()
    os.utime(old, (0, 0))
    sqlite_store.ensure(uri(tmp_path / "mlflow.db"))
    assert not old.exists()
    assert young.exists()  # another process may be writing it
