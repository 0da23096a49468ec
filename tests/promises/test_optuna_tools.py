"""Optuna's command line and dashboard open the study's database."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from study.state.database import FILE_NAME as DATABASE
from tests.kit.patience import patience
from tests.kit.servers.mlflow_server import free_port

BIN = Path(sys.executable).parent


@pytest.mark.slow
def test_optunas_command_line_lists_the_trials(done_directory: Path) -> None:
    storage = f"sqlite:///{done_directory / DATABASE}"

    def optuna(*arguments: str) -> list[dict]:
        done = subprocess.run(
            [BIN / "optuna", *arguments, "--storage", storage, "--format", "json"],
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    names = {study["name"] for study in optuna("studies")}
    assert names == {"toy", "toy/controls", "toy/confirm"}
    trials = optuna("trials", "--study-name", "toy")
    assert len(trials) == 8
    assert {trial["state"] for trial in trials} == {"COMPLETE"}
    (best,) = [optuna("best-trial", "--study-name", "toy")]
    assert best["params"]["temperature"] == 4.0


@pytest.mark.slow
def test_the_dashboard_shows_the_trials(done_directory: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [
            BIN / "optuna-dashboard",
            f"sqlite:///{done_directory / DATABASE}",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    try:
        studies = _json(f"http://127.0.0.1:{port}/api/studies", seconds=30)["study_summaries"]
        (toy,) = [study for study in studies if study["study_name"] == "toy"]
        shown = _json(f"http://127.0.0.1:{port}/api/studies/{toy['study_id']}?after=0", seconds=30)
        assert len(shown["trials"]) == 8
        assert shown["objective_names"] == ["validation/top1_error"]
        assert {trial["state"] for trial in shown["trials"]} == {"Complete"}
    finally:
        process.terminate()
        process.wait(patience(10))


def _json(url: str, seconds: float) -> dict:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url) as answer:
                return json.loads(answer.read())
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
