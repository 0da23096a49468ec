"""The built wheel, outside of the source tree, contains all data files and runs a study."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ("search.trials=1", "training.epochs=1", "confirm.seeds=[1]")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with nothing but the installed wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], check=True)
    return folder / "site"


def cskd(site: Path, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "study.cli", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_study_runs_from_the_wheel(site: Path, tmp_path: Path) -> None:
    for name in ("study", "trainables", "search_spaces", "analysis"):
        assert (site / name / "py.typed").exists()
    assert "cifar100-preact_resnet18-cs_kd" in cskd(site, tmp_path, "presets")
    assert "kuberay" in cskd(site, tmp_path, "deploy")
    settings = [word for setting in SMALL for word in ("--set", setting)]
    cskd(site, tmp_path, "launch", "digits", "--storage", "runs", *settings)
    assert (tmp_path / "runs/digits/report/index.html").stat().st_size > 100_000
    cskd(site, tmp_path, "verify", "runs/digits")
