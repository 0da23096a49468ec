"""Tests jobs on a cluster: refused arguments, and a study on a real head that requires a token."""

import json
import os
import subprocess
import sys

import pytest

from tests.kit.servers.ray_head import ray_head
from tests.kit.servers.ray_routes import WRONG_TOKEN, gcs_answer, probed

SMALL = ("search.trials=2", "training.epochs=2", "confirm.seeds=[1]", "confirm.finalists=1", "controls=[]")
PUBLIC = {"/api/gcs_healthz"}  # health check, open without a token


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give one of STUDY, --resume DIR and --follow JOB"),
        (("digits", "--follow", "job"), "give one of STUDY"),
        (("digits", "--storage", "/shared"), "give --address http://HOST:8265"),
        (("digits", "--address", "http://h:8265"), "give --storage"),
        (("digits", "--address", "http://h:8265", "--storage", "runs"), "runs: must be an absolute path of a folder"),
        (("--resume", "runs/digits", "--address", "http://h:8265"), "must be an absolute path of a folder"),
        (("digits", "--address", "h:6379", "--storage", "/shared"), "give http://HOST:8265"),
        (("digit", "--address", "http://h:8265", "--storage", "/shared"), "did you mean 'digits'?"),
    ],
)
def test_a_mistake_is_reported_before_the_cluster_is_contacted(cskd, arguments, message):
    code, out, error = cskd("submit", *arguments)
    assert (code, out) == (64, "")
    assert message in error
    assert len(error.splitlines()) == 1


def test_an_unreachable_dashboard_is_reported(cskd):
    code, _, error = cskd("submit", "digits", "--address", "http://127.0.0.1:1", "--storage", "/shared")
    assert code == 69
    assert "http://127.0.0.1:1: Failed to connect" in error
    assert len(error.splitlines()) == 1


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_study_runs_as_a_job_and_is_followed_and_resumed(tmp_path):
    pytest.importorskip("aiohttp_cors", reason="the dashboard of a Ray head is not installed: .[cluster]")
    with ray_head() as head:

        def cskd(*arguments: object) -> subprocess.CompletedProcess:
            command = [sys.executable, "-m", "study.cli", *map(str, arguments), "--address", head.dashboard]
            environment = os.environ | head.environment
            return subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False
            )

        routes = probed(head)
        assert len(routes) > 50
        assert [each for each in routes if each.without != 401 and each.path not in PUBLIC] == []
        assert [each for each in routes if each.wrong != 403 and each.path not in PUBLIC] == []
        assert head.status("/api/jobs/", head.token) == 200
        answers = [gcs_answer(head, token) for token in (None, WRONG_TOKEN, head.token)]
        assert answers == ["UNAUTHENTICATED", "UNAUTHENTICATED", "OK"]
        settings = [word for each in SMALL for word in ("--set", each)]
        done = cskd("submit", "digits", "--storage", tmp_path / "runs", "--detach", *settings)
        assert done.returncode == 0, done.stderr
        job = done.stdout.split()[1].rstrip(";")
        unknown = cskd("submit", "--follow", "nothing")
        assert (unknown.returncode, len(unknown.stderr.splitlines())) == (69, 1), unknown.stderr
        followed = cskd("submit", "--follow", job)
        assert followed.returncode == 0, followed.stdout + followed.stderr
        assert "best configuration:" in followed.stdout
        status = json.loads((tmp_path / "runs" / "digits" / "results" / "study.json").read_bytes())
        assert status["config"]["search"]["trials"] == 2
        again = cskd("submit", "--resume", tmp_path / "runs" / "digits")
        assert again.returncode == 0, again.stdout + again.stderr
        missing = cskd("submit", "--resume", tmp_path / "runs" / "other")
        assert missing.returncode == 64, missing.stdout + missing.stderr  # the driver's exit code
        assert "no study here" in missing.stdout
    assert head.token not in "".join(each.stdout + each.stderr for each in (done, followed, again, missing))
