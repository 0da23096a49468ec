"""Whom clusters let in, and whether a study may run there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from study.commands.doctor import cluster


@pytest.mark.parametrize(
    ("status", "level", "says"),
    [
        (200, "problem", "answers without a token"),
        (401, "ok", "asks for a token (401)"),
        (403, "ok", "asks for a token (403)"),
        (302, "warning", "answers 302"),
        (500, "warning", "answers 500"),
    ],
)
def test_a_job_port_is_tried_without_a_token(server, monkeypatch, status: int, level: str, says: str) -> None:
    monkeypatch.setattr(cluster, "DASHBOARD_PORT", server(status))
    found = cluster.dashboard("127.0.0.1")
    assert found.level == level
    assert says in found.found


def test_whom_a_cluster_lets_in(server, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "DASHBOARD_PORT", closed_port)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    answers = list(cluster.cluster(f"127.0.0.1:{server(200)}"))
    assert [finding.level for finding in answers] == ["ok", "warning", "ok"]
    assert "does not answer from here (Connection refused)" in answers[2].found
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    gone = list(cluster.cluster(f"127.0.0.1:{closed_port}"))
    assert [finding.level for finding in gone] == ["problem", "ok"]
    assert "Connection refused" in gone[0].found


@pytest.mark.parametrize("address", ["auto", "ray://host:1", "host", "host:x", ":1", "host:99999"])
def test_an_address_that_no_study_takes(address: str) -> None:
    (found,) = cluster.cluster(address)
    assert found.level == "problem"


def test_the_address_of_the_environment_and_a_ray_of_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert [finding.level for finding in cluster.check(None, tmp_path)] == ["problem"]
    assert [finding.level for finding in cluster.check("local", tmp_path)] == ["ok"]


def test_nodes_are_compared_where_there_is_a_folder_to_share(tmp_path: Path) -> None:
    (found,) = cluster.alike("127.0.0.1:1", tmp_path / "absent")
    assert (found.level, found.subject) == ("ok", "ray nodes")
    (found,) = cluster.alike("127.0.0.1:1", tmp_path)
    assert found.level == "problem"
    assert "cannot be reached: Connection refused" in found.found


CLUSTER = """
import subprocess, sys
from study.cluster.connection import ray_connection
with ray_connection("local"):
    import ray
    words = [sys.executable, "-m", "study.cli", "doctor", "--json", "--storage", sys.argv[1]]
    words += ["--address", ray.get_runtime_context().gcs_address]
    print(subprocess.run(words, capture_output=True, text=True).stdout)
"""


@pytest.mark.long
@pytest.mark.timeout(200)
def test_the_nodes_of_a_real_cluster_are_compared_and_nothing_is_left_there(tmp_path: Path) -> None:
    path = str(Path(__file__).parents[4])
    done = subprocess.run(
        [sys.executable, "-c", CLUSTER, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    found = {finding["subject"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert found["ray nodes"]["found"].startswith("1 with this code and these libraries")
    assert "gcs_server" in found["ports"]["found"]
    assert list(tmp_path.iterdir()) == []
