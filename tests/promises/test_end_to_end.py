"""Complete study as a user runs it: real command line, real Ray, real training on handwritten digits."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from analysis.records import result_files
from study.state import ledger
from trainables.config import TrainConfig

ROOT = Path(__file__).parents[2]


def cskd(folder: Path, *words: object) -> str:
    """Runs a command outside of the checkout; returns its standard output and asserts that it succeeds."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "study.cli", *map(str, words)]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def reproduced(out: str) -> dict[str, float]:
    """Parses the metrics that ``cskd train`` prints."""
    pairs = (line.rsplit(" ", 1) for line in out.splitlines() if "/" in line.split(" ")[0] and " after " not in line)
    return {name: float(value) for name, value in pairs}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_launch_and_reproduce(tmp_path: Path) -> None:
    settings = ("search.trials=3", "training.epochs=2", "model.width=8", "confirm.seeds=[1,2]")
    out = cskd(tmp_path, "launch", "digits", "--storage", tmp_path, *(x for word in settings for x in ("--set", word)))
    study = tmp_path / "digits"
    assert f"best configuration: {study / 'best_config.yaml'}" in out
    assert "cross_entropy" in out
    assert {path.name for path in study.iterdir()} >= {
        *("study.yaml", "provenance.jsonl", "optuna.db", "trials", "controls", "confirm", "test_ledger.jsonl"),
        *("results", "report", "best_config.yaml"),
    }

    results = result_files.read(study / "results")
    assert list(results.trials["state"]) == 4 * ["COMPLETE"]
    confirmations = results.confirmations
    assert len(confirmations) == 2 * 2
    assert list(confirmations["state"]) == 4 * ["COMPLETE"]
    for row in confirmations.to_dict("records"):
        found = pq.read_table(study / "confirm" / str(row["trial"]) / "predictions.parquet")
        prediction = np.argmax(np.stack(found["logits"].to_numpy()), axis=1)
        wrong = np.mean(prediction != found["label"].to_numpy())
        assert row["test/top1_error"] == pytest.approx(wrong, abs=1e-9)
    readings = ledger.readings(study)
    assert sorted((line["arm"], line["seed"]) for line in readings) == sorted(
        zip(confirmations["arm"], confirmations["seed"], strict=True)
    )

    exported = TrainConfig.model_validate(yaml.safe_load(cskd(tmp_path, "export", study)))
    best = study / "best_config.yaml"
    assert exported == TrainConfig.model_validate(yaml.safe_load(best.read_text()))
    metrics = reproduced(cskd(tmp_path, "train", best, "--out", tmp_path / "again", "--test"))
    winner = results.study["finalists"][0]
    same = confirmations[(confirmations["arm"] == winner) & (confirmations["seed"] == exported.seed)].iloc[0]
    assert {name for name in metrics if name.startswith("test/")}
    for name, value in metrics.items():
        assert value == pytest.approx(same[name], abs=5e-7), name  # printed with six decimals
