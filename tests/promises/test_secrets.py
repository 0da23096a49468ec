"""Canary secrets in the environment of a real driver appear in none of the files it leaves."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.cluster import connection
from study.machine import secrets
from tests.kit.fakes import toy
from tests.kit.patience import patience
from tests.kit.servers.mlflow_server import Server
from tests.kit.servers.postgresql_server import PASSWORD, PostgreSQL, binaries

CANARY = "canary-7d0a93c1f2"  # contained in every secret below
ROOT = Path(__file__).parents[2]
RAY = Path("/tmp")  # drivers place Ray's files here, regardless of TMPDIR


def holding(needle: bytes, *places: Path) -> list[str]:
    """Returns the files in ``places`` whose name or content contains the needle."""
    files = [path for place in places for path in (place.rglob("*") if place.is_dir() else [place])]
    return [
        str(path)
        for path in files
        if needle.decode() in path.name or (path.is_file() and not path.is_symlink() and needle in path.read_bytes())
    ]


def careless(folder: Path, server: Server) -> dict[str, str]:
    """Returns an environment with secrets of MLflow, Ray and a cloud."""
    for name in ("home", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "MLFLOW_TRACKING_URI": server.uri.replace("://", f"://me:{CANARY}-of-the-uri@"),
        "MLFLOW_TRACKING_TOKEN": f"{CANARY}-of-mlflow",
        "RAY_AUTH_TOKEN": f"{CANARY}-of-ray-and-thirty-two-characters-long",
        "AWS_SECRET_ACCESS_KEY": f"{CANARY}-of-a-cloud",
        "TOY_SECONDS": "0.2",
    }


def start(folder: Path, *arguments: str, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "driver.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", toy.__name__, *arguments],
            cwd=folder,
            env=variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_for(done: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 200
    while not done.exists():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


@pytest.fixture
def database() -> Iterator[PostgreSQL | None]:
    """PostgreSQL server; None if it is not installed, in which case the study uses SQLite."""
    if binaries() is None:
        yield None
        return
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a folder that PostgreSQL's user can enter
        server = PostgreSQL(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.mark.long
@pytest.mark.bad_input(41)
@pytest.mark.timeout(700)
def test_no_file_contains_a_secret(tmp_path: Path, mlflow_server: Server, database: PostgreSQL | None) -> None:
    study, variables = tmp_path / "toy", careless(tmp_path, mlflow_server)
    arguments = ["launch", str(toy.write_study(tmp_path)), "--storage", str(tmp_path), "--set", "tracking.enabled=true"]
    if database is not None:
        variables["CSKD_DATABASE_URL"] = database.create("study")
        arguments += ["--set", "database.env=CSKD_DATABASE_URL"]
    before = set(RAY.glob(f"{connection.RAY_FOLDER}*"))
    try:
        process = start(tmp_path, *arguments, variables=variables)
        wait_for(study / "trials" / "1" / "outcome.json", process, tmp_path / "driver.log")
        time.sleep(3)  # waits for files that Ray writes periodically
        os.killpg(process.pid, signal.SIGKILL)  # no clean-up: Ray's pickles and logs remain
        process.wait()
        left = [path for path in RAY.glob(f"{connection.RAY_FOLDER}*") if path not in before]
        assert any(path.rglob("*.pkl") for path in left)
        places = (tmp_path, mlflow_server.database.parent, *left)
        assert holding(CANARY.encode(), *places) == []
        assert holding(PASSWORD.encode(), *places) == []
        assert start(tmp_path, "resume", str(study), variables=variables).wait(patience(400)) == 0
        verifying = start(tmp_path, "verify", str(study), variables=variables)
        assert verifying.wait(patience(120)) == 0, "verify also searches"
        assert holding(CANARY.encode(), tmp_path, mlflow_server.database.parent) == []
        assert holding(PASSWORD.encode(), tmp_path, mlflow_server.database.parent) == []
        if database is not None:
            dump = database.dump("study")
            assert CANARY.encode() not in dump
            assert PASSWORD.encode() not in dump
            assert b"validation/top1_error" in dump  # the dump is of the study's database
        assert "search/" in (tmp_path / "driver.log").read_text()
    finally:
        for path in set(RAY.glob(f"{connection.RAY_FOLDER}*")) - before:
            shutil.rmtree(path, ignore_errors=True)


def test_ray_does_not_receive_cloud_keys() -> None:
    from ray.tune.execution import class_cache

    connection._keep_secrets_from_logs()
    assert not [name for name in class_cache.ENV_VARS_TO_PROPAGATE if name in secrets.SECRETS]


def test_the_search_finds_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "pickle").write_bytes(b"\x80\x04" + CANARY.encode() + b"\x00")
    (tmp_path / f"{CANARY}.log").touch()
    assert len(holding(CANARY.encode(), tmp_path)) == 2
