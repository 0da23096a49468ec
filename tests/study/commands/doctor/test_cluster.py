"""Tests of the checks of Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from study.commands.doctor import cluster


@pytest.mark.parametrize(
    ("status", "level", "text"),
    [
        (200, "problem", "accepts requests without a token"),
        (401, "ok", "requires a token (401)"),
        (403, "ok", "requires a token (403)"),
        (302, "warning", "answers with HTTP status 302"),
        (500, "warning", "answers with HTTP status 500"),
    ],
)
def test_the_dashboard_is_checked_without_a_token(server, monkeypatch, status: int, level: str, text: str) -> None:
    monkeypatch.setattr(cluster, "DASHBOARD_PORT", server(status))
    found = cluster.dashboard("127.0.0.1")
    assert found.level == level
    assert text in found.found


def test_whether_a_cluster_is_reachable_and_requires_a_token(
    server, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "DASHBOARD_PORT", closed_port)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    answers = list(cluster.cluster(f"127.0.0.1:{server(200)}"))
    assert [finding.level for finding in answers] == ["ok", "warning", "ok"]
    assert "is not reachable from here (Connection refused)" in answers[2].found
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    unreachable = list(cluster.cluster(f"127.0.0.1:{closed_port}"))
    assert [finding.level for finding in unreachable] == ["problem", "ok"]
    assert "Connection refused" in unreachable[0].found


@pytest.mark.parametrize("address", ["auto", "ray://host:1", "host", "host:x", ":1", "host:99999"])
def test_an_invalid_address_is_a_problem(address: str) -> None:
    (found,) = cluster.cluster(address)
    assert found.level == "problem"


def test_the_address_from_the_environment_and_a_local_ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert [finding.level for finding in cluster.check(None, tmp_path)] == ["problem"]
    assert [finding.level for finding in cluster.check("local", tmp_path)] == ["ok"]


def test_nodes_are_compared_only_if_the_storage_folder_exists(tmp_path: Path) -> None:
    (found,) = cluster.compare_nodes("127.0.0.1:1", tmp_path / "absent")
    assert (found.level, found.subject) == ("ok", "ray nodes")
    (found,) = cluster.compare_nodes("127.0.0.1:1", tmp_path)
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
def test_the_nodes_of_a_real_cluster_are_compared_and_nothing_is_left_behind(tmp_path: Path) -> None:
    path = str(Path(__file__).parents[4])
    done = subprocess.run(
        [sys.executable, "-c", CLUSTER, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    found = {finding["subject"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert found["ray nodes"]["found"].startswith("1 node with the same code and libraries")
    assert "gcs_server" in found["ports"]["found"]
    assert list(tmp_path.iterdir()) == []
